// cmocka's assertion on a range under its newer name: version 2 warns of the older one, version 1 knows no other.
#ifndef TESTS_SUPPORT_RANGE_H
#define TESTS_SUPPORT_RANGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#ifndef assert_int_in_range
#define assert_int_in_range assert_in_range
#endif

#endif
