/*
 * What accepted sockets (and a UDP socket itself, where it applies) are set to: a value that goes
 * from the config to the system as it is.
 */
#ifndef BATON_BASE_SOCKET_OPTIONS_H
#define BATON_BASE_SOCKET_OPTIONS_H

#include <stdint.h>

/* 0 leaves what the system does by itself. All are 32 bits, since the table of keys reaches them.
 */
struct socket_options {
    uint32_t nodelay;          /* 0 or 1: TCP_NODELAY, tcp(7) */
    uint32_t keepalive;        /* 0 or 1: SO_KEEPALIVE, socket(7) */
    uint32_t keepalive_idle_s; /* before the first probe */
    uint32_t keepalive_interval_s;
    uint32_t keepalive_count; /* unanswered probes that end the connection */
    uint32_t defer_accept_s;  /* TCP_DEFER_ACCEPT, tcp(7); Linux only, ignored elsewhere */
    uint32_t receive_buffer_bytes, send_buffer_bytes; /* SO_RCVBUF, SO_SNDBUF; hints */
};

#endif
