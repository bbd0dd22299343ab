/* SPDX-License-Identifier: MIT */
#include "cli/interrupt.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

static void set(void (*handler)(int))
{
	const struct sigaction action = {.sa_handler = handler};

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
}

const volatile sig_atomic_t *cli_interrupted(void)
{
	set(on_signal);
	return &interrupted;
}

void cli_interrupt_end(void)
{
	set(SIG_DFL);
}
