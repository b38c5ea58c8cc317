/*
 * must(): what holds by the way the program is made, and without which it cannot go on safely: the
 * size of a table, room in a ring. Checked in every build, unlike assert(), since the release build
 * is the one that faces strangers. Not for what a user, a peer or the system may do: that is an
 * error to be reported.
 */
#ifndef BATON_BASE_MUST_H
#define BATON_BASE_MUST_H

/* Ends the program by abort(3), after a line on standard error that names the place, unless
 * `condition` holds. (The place tells the condition, whose text would stay in the program.) */
#define must(condition) ((condition) ? (void)0 : must_fail(__FILE__, __LINE__))

_Noreturn void must_fail(const char *file, int line);

#endif
