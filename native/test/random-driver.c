/* Drives a fuzz target without libFuzzer, with random bytes of random length. Its argument is the number of runs; the seed is fixed, so a failure comes again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t state = 0x9e3779b97f4a7c15u;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

int main(int argc, char **argv)
{
	static uint8_t bytes[2048];
	long runs = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
	for (long run = 0; run < runs; run++) {
		size_t size = (size_t)(next() % (next() % 8 ? 128 : sizeof bytes));
		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)(next() >> 24);
		LLVMFuzzerTestOneInput(bytes, size);
	}
	return 0;
}
