/* SPDX-License-Identifier: MIT */
#include "cli/interrupt.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;
static volatile sig_atomic_t wake_fd = -1;

static void on_signal(int sig)
{
	const uint64_t one = 1;
	int before = errno;

	(void)sig;
	interrupted = 1;
	(void)!write(wake_fd, &one, sizeof(one));
	errno = before;
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

int cli_interrupt_fd(void)
{
	if (wake_fd < 0)
		wake_fd = eventfd(interrupted ? 1 : 0, EFD_CLOEXEC | EFD_NONBLOCK);
	return wake_fd;
}

void cli_interrupt_end(void)
{
	set(SIG_DFL, 0);
}
