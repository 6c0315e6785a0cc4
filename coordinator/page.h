// The page that --report writes: text before the events of a trace (see trace.h), and behind them. It needs nothing but itself.
#ifndef RENDERFARM_PAGE_H
#define RENDERFARM_PAGE_H

const char *page_head(void);
const char *page_tail(void);

#endif
