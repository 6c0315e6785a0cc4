#include "page.h"

#include <string.h>

// The file itself, where the linker finds it.
__asm__(".section .rodata\n"
        "page_html:\n"
        ".incbin \"coordinator/page.html\"\n"
        ".byte 0\n"
        ".previous\n");
extern const char page_html[];

static const char marker[] = "@EVENTS@\n";

const char *page_head(size_t *length)
{
    *length = (size_t)(strstr(page_html, marker) - page_html);
    return page_html;
}

const char *page_tail(void)
{
    return strstr(page_html, marker) + strlen(marker);
}
