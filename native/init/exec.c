#include "exec.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *variable(const struct process *process, const char *name)
{
	size_t length = strlen(name);
	for (char **entry = process->env; *entry; entry++)
		if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
			return *entry + length + 1;
	return NULL;
}

/* A file that exists but whose interpreter or loader is missing also says ENOENT. */
static int explain(const char *path, int error)
{
	struct stat found;
	if (stat(path, &found) < 0)
		return fail(STAGE_EXEC, error, "exec: \"%s\": stat %s", path, path);
	if (S_ISDIR(found.st_mode))
		return fail(STAGE_EXEC, -EISDIR, "exec: \"%s\"", path);
	if (error == -ENOENT)
		return fail(STAGE_EXEC, error, "exec %s (its interpreter or loader is missing)", path);
	return fail(STAGE_EXEC, error, "exec: \"%s\"", path);
}

int run_program(const struct process *process)
{
	const char *name = process->argv[0];
	if (strchr(name, '/')) {
		execve(name, process->argv, process->env);
		return explain(name, -errno);
	}
	const char *search = variable(process, "PATH");
	char path[PATH_MAX];
	int error = -ENOENT;
	for (const char *at = search ? search : DEFAULT_PATH; *at && *name;) {
		size_t length = strcspn(at, ":");
		struct stat found;
		/* As Docker: an entry that means "here" is never searched. */
		int size = *at == '/' ? snprintf(path, sizeof path, "%.*s/%s", (int)length, at, name) : -1;
		if (size > 0 && size < (int)sizeof path && stat(path, &found) == 0 && S_ISREG(found.st_mode)) {
			execve(path, process->argv, process->env);
			if (errno != EACCES)
				return explain(path, -errno);
			error = -EACCES;
		}
		at += length + (at[length] == ':');
	}
	if (error == -EACCES)
		return fail(STAGE_EXEC, error, "exec: \"%s\"", name);
	return fail(STAGE_EXEC, error, "exec: \"%s\": executable file not found in $PATH", name);
}
