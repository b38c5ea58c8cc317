/*
 * What baton-config sends batond: an int32_t (BATON_OK, or why there is no table), a uint32_t, so
 * many bytes of text (lines that say what is wrong; a reload's alone), and the image of the table
 * (core/service/image.h). Both are of one build.
 */
#ifndef BATON_APART_H
#define BATON_APART_H

#include <stdint.h>

struct apart_head {
    int32_t result;
    uint32_t text_bytes; /* padded to 16 bytes, so that the image is aligned */
    uint64_t mark;       /* APART_MARK */
};
#define APART_MARK UINT64_C(0x65636e6f7461622e)

/* Arguments before batond's own: how it is asked, in which folder batond is, and who batond was
 * when it was started (`[supervisor] user`), "UID PRIVILEGED", both numbers; "" = who asks. */
#define APART_FIRST "--for-batond"
#define APART_AGAIN "--for-batond-again" /* nothing is printed */
#define APART_ARGUMENTS 3

/* How a batond asks the one that is to take its place: this, the layout of its snapshots, who it
 * was when it was started (as above), its `[supervisor] user` ("" = none), and its own arguments.
 * The answer has the head above, with lines that say why not (BATON_INVALID: the config has
 * faults), and behind that, where it is BATON_OK, what baton-config has answered. */
#define APART_REHEARSE "--rehearse"
#define APART_REHEARSE_ARGUMENTS 4

#endif
