/*
 * The texts of conf/KEYS.md that belong to no single key. Private to key_reference.c.
 */
#ifndef BATON_SERVICE_KEY_GUIDE_H
#define BATON_SERVICE_KEY_GUIDE_H

/* Sections, form and commands. */
extern const char *const key_guide_form;

/* Hand-off modes and what goes with them, up to the table of facts. */
extern const char *const key_guide_modes;

/* Behind the table of facts: which of them other servers tell, and how. */
extern const char *const key_guide_servers;

#endif
