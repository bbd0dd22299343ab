/* SPDX-License-Identifier: MIT */
/*
 * All that runs in the innermost guest of tests/vsock: loads the modules of
 * /modules, then greets on port 22 of its vsock as an SSH server does, and gives back what it
 * hears on port 1000, one connection after another.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One needs the other, so as often as it takes. */
static void load_modules(void)
{
	for (int pass = 0; pass < 8; pass++) {
		DIR *dir = opendir("/modules");
		struct dirent *entry;

		while (dir && (entry = readdir(dir))) {
			int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);

			if (fd >= 0) {
				(void)syscall(SYS_finit_module, fd, "", 0);
				close(fd);
			}
		}
		if (dir)
			closedir(dir);
	}
}

static int listen_at(unsigned port)
{
	struct sockaddr_vm here = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 || listen(fd, 4) < 0)
		perror("vsock");
	return fd;
}

static void greet(int fd)
{
	static const char greeting[] = "SSH-2.0-hv_test_of_vsock\r\n";
	char heard[256];

	(void)!write(fd, greeting, sizeof(greeting) - 1);
	(void)!read(fd, heard, sizeof(heard));
}

static void give_back(int fd)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		if (write(fd, chunk, (size_t)n) != n)
			break;
}

int main(void)
{
	struct pollfd p[2];

	(void)mount("devtmpfs", "/dev", "devtmpfs", 0, "");
	(void)freopen("/dev/console", "w", stdout);
	(void)freopen("/dev/console", "w", stderr);
	load_modules();
	p[0] = (struct pollfd){.fd = listen_at(22), .events = POLLIN};
	p[1] = (struct pollfd){.fd = listen_at(1000), .events = POLLIN};
	puts("vsock listens");
	(void)fflush(stdout);
	for (;;) {
		(void)poll(p, 2, -1);
		for (int i = 0; i < 2; i++) {
			int fd = p[i].revents & POLLIN ? accept(p[i].fd, NULL, NULL) : -1;

			if (fd < 0)
				continue;
			if (i)
				give_back(fd);
			else
				greet(fd);
			close(fd);
		}
	}
}
