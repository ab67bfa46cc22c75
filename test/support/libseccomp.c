/*
 * libseccomp's own filter for a profile: reads lines from standard input, writes an
 * array of struct sock_filter to standard output and the names libseccomp does not
 * know to standard error.
 *
 *   default ACTION                      ACTION is a SECCOMP_RET_* number
 *   arch NAME                           as seccomp_arch_resolve_name(3) has it
 *   rule ACTION NAME [INDEX OP A B]...  OP is an enum scmp_compare number
 */
#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int die(const char *what, int error)
{
	fprintf(stderr, "! %s: %s\n", what, strerror(-error));
	return 1;
}

static int add_rule(scmp_filter_ctx filter, char *text)
{
	struct scmp_arg_cmp args[6];
	unsigned count = 0;
	char *at = text;
	uint32_t action = (uint32_t)strtoul(strtok_r(at, " ", &at), NULL, 0);
	const char *name = strtok_r(NULL, " ", &at);
	int number = seccomp_syscall_resolve_name(name);
	if (number == __NR_SCMP_ERROR) {
		fprintf(stderr, "%s\n", name);
		return 0;
	}
	for (char *word; count < 6 && (word = strtok_r(NULL, " ", &at)); count++) {
		args[count].arg = (unsigned)strtoul(word, NULL, 0);
		args[count].op = (enum scmp_compare)strtoul(strtok_r(NULL, " ", &at), NULL, 0);
		args[count].datum_a = strtoull(strtok_r(NULL, " ", &at), NULL, 0);
		args[count].datum_b = strtoull(strtok_r(NULL, " ", &at), NULL, 0);
	}
	int result = seccomp_rule_add_array(filter, action, number, count, args);
	return result < 0 && result != -EEXIST ? result : 0;
}

int main(void)
{
	scmp_filter_ctx filter = NULL;
	char line[4096];
	while (fgets(line, sizeof line, stdin)) {
		int result = 0;
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, "default ", 8) == 0) {
			filter = seccomp_init((uint32_t)strtoul(line + 8, NULL, 0));
			result = filter ? 0 : -ENOMEM;
		} else if (filter && strncmp(line, "arch ", 5) == 0) {
			result = seccomp_arch_add(filter, seccomp_arch_resolve_name(line + 5));
			result = result == -EEXIST ? 0 : result;
		} else if (filter && strncmp(line, "rule ", 5) == 0) {
			result = add_rule(filter, line + 5);
		} else {
			result = -EINVAL;
		}
		if (result < 0)
			return die(line, result);
	}
	int result = filter ? seccomp_export_bpf(filter, 1) : -EINVAL;
	return result < 0 ? die("export", result) : 0;
}
