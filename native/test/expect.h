/* What a fuzz target expects of each input: it ends, as on a crash, where that does not hold. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#define EXPECT(condition)                                                                      \
	do {                                                                                   \
		if (!(condition)) {                                                            \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                               \
		}                                                                              \
	} while (0)
