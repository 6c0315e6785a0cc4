#include "page.h"

const char *page_head(void)
{
    return "<!doctype html><script type=\"application/json\" id=\"events\">";
}

const char *page_tail(void)
{
    return "</script>";
}
