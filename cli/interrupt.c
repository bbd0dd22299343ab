/* SPDX-License-Identifier: MIT */
#include "cli/interrupt.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

static void set(void (*handler)(int), unsigned flags)
{
	const struct sigaction action = {.sa_handler = handler, .sa_flags = (int)flags};

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
}

const volatile sig_atomic_t *cli_interrupted(void)
{
	set(on_signal, 0);
	return &interrupted;
}

const volatile sig_atomic_t *cli_interrupted_once(void)
{
	set(on_signal, SA_RESETHAND);
	return &interrupted;
}

void cli_interrupt_end(void)
{
	set(SIG_DFL, 0);
}
