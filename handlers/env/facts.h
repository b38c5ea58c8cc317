/* What a process can tell of itself, as UTF-8. posix/ and win32/ are two bodies of it. */
#ifndef BATON_ENV_FACTS_H
#define BATON_ENV_FACTS_H

/* The arguments, ending with NULL; never freed. NULL when out of memory. */
char **facts_arguments(int argc, char **argv);

/* The environment as NAME=VALUE texts, ending with NULL; never freed. NULL when out of memory. */
char **facts_environment(void);

/* The working directory; never freed. NULL when it cannot be told. */
char *facts_directory(void);

#endif
