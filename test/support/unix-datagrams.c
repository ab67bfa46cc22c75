/*
 * Receives the datagrams of a unix socket: unix-datagrams PATH. Each goes to standard output as its length
 * in four bytes, the greatest first, and its bytes. "ready" on standard error says that it listens. It reads a
 * datagram only when a byte comes on standard input, or all of them once that has ended.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char datagram[1 << 20];

int main(int count, char **words)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (count != 2 || fd < 0 || strlen(words[1]) >= sizeof(address.sun_path))
		return 2;
	strcpy(address.sun_path, words[1]);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return 1;
	fputs("ready\n", stderr);
	for (;;) {
		char turn;
		if (read(0, &turn, 1) < 0)
			return 1;
		ssize_t length = recv(fd, datagram, sizeof(datagram), 0);
		uint32_t head = htonl((uint32_t)length);
		if (length < 0 || fwrite(&head, sizeof(head), 1, stdout) != 1 ||
		    fwrite(datagram, 1, (size_t)length, stdout) != (size_t)length || fflush(stdout) != 0)
			return 1;
	}
}
