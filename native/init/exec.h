#ifndef EXEC_H
#define EXEC_H

#include "plan.h"

/* Becomes the program; returns only with a failure. argv[0] without a slash is looked up in the container's PATH. */
int run_program(const struct process *process);

#endif
