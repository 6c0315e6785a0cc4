// Loaded before the C library: libhwy (behind libjxl, behind libavcodec) measures a timer when it is loaded, by an instruction that valgrind does not
// know on machines without it, though it says that it does. Nobody here wants to know: hwy::platform::TimerResolution().
#include <stdint.h>

uint64_t _ZN3hwy8platform15TimerResolutionEv(void);

uint64_t _ZN3hwy8platform15TimerResolutionEv(void)
{
    return 1;
}
