/* A proxy in the test's own process: its engine, its container's servers and its clients are sockets of the test. */
#ifndef PROXY_RIG_H
#define PROXY_RIG_H

#include "proxy.h"

struct proxy_rig {
	int engine;   /* the other end of its commands */
	int server;   /* listens for streams, where the container would */
	int datagram; /* takes datagrams there */
	uint16_t server_port, datagram_port;
};

/* Calls that fail while set. */
struct proxy_faults {
	bool memory, pipe, accept;
};

extern struct proxy_faults proxy_faults;

void proxy_rig_open(struct proxy_rig *rig);
void proxy_rig_close(struct proxy_rig *rig);
/* Asks for a port of 127.0.0.1 from `first` to `last`: the port, or a negative errno. */
int proxy_rig_listen(struct proxy_rig *rig, int protocol, uint32_t first, uint32_t last, int more_address);
/* Events until there are none; false once the proxy has ended. */
bool proxy_rig_turn(void);
/* The same once the kernel had a moment to deliver what was sent. */
bool proxy_rig_settle(void);
/* A connection to 127.0.0.1, which does not wait. */
int proxy_rig_connect(int type, uint16_t port);
/* Closes so that nothing waits in the kernel afterwards. */
void proxy_rig_reset(int *fd);

#endif
