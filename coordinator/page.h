// The page that --report writes, page.html: what comes before the events of a trace (see trace.h) and behind them. It draws itself from these, and
// needs nothing but itself. Constant. Any thread.
#ifndef RENDERFARM_PAGE_H
#define RENDERFARM_PAGE_H

#include <stddef.h>

const char *page_head(size_t *length);
const char *page_tail(void);

#endif
