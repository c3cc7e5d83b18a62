// The floor: the kernel operations of a bridge or ptp attachment with host-local, and nothing else.
// No JSON, no checks, no undo, fixed answers to every question: what is left is what the kernel takes.
//
//   floor none                                          only start and end
//   floor add bridge|ptp NETNS LEASES LINK ADDRESS GATEWAY MASTER|- [TABLE]
//   floor del NETNS LEASES ADDRESS [TABLE]
//
// NETNS is a path, LEASES host-local's folder, LINK the host's end; the container's end is eth0 with ADDRESS/16.
// TABLE is an nftables table of family inet with a set "sources" whose addresses a rule masquerades.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PREFIX = 16 };

static void need(int64_t result, const char *what) {
  if (result >= 0) return;
  dprintf(2, "%s: %s\n", what, strerror(errno));
  _exit(1);
}

// ---- Netlink: messages gathered in one buffer, sent at once

static _Alignas(8) char batch[4096], answer[16384];
static size_t used;
static struct nlmsghdr *message;

static void *append(const void *bytes, size_t n) {
  void *at = batch + used;
  if (n) memcpy(at, bytes, n);
  used += NLMSG_ALIGN(n);
  if (message) message->nlmsg_len = batch + used - (char *)message;
  return at;
}

static void begin(int type, int flags, const void *body, size_t n) {
  struct nlmsghdr header = {.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags};
  message = NULL;
  message = append(&header, sizeof header);
  append(body, n);
}

static struct nlattr *put(int type, const void *bytes, size_t n) {
  struct nlattr header = {.nla_len = NLA_HDRLEN + n, .nla_type = type}, *at = append(&header, sizeof header);
  append(bytes, n);
  return at;
}
static void put32(int type, uint32_t value) { put(type, &value, sizeof value); }
static void text(int type, const char *value) { put(type, value, strlen(value) + 1); }
static struct nlattr *nest(int type) { return put(type | NLA_F_NESTED, NULL, 0); }
static void close_nest(struct nlattr *nest) { nest->nla_len = batch + used - (char *)nest; }

static int netlink(int protocol) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  need(fd, "socket");
  return fd;
}

// Sends what was gathered and reads until `acks` acknowledgements came. Gives the peer's index of a link told meanwhile.
static uint32_t talk(int fd, int acks, const char *what) {
  uint32_t peer = 0;
  need(send(fd, batch, used, 0), what);
  for (used = 0; acks > 0;) {
    int n = recv(fd, answer, sizeof answer, 0);
    need(n, what);
    for (struct nlmsghdr *m = (void *)answer; NLMSG_OK(m, n); m = NLMSG_NEXT(m, n)) {
      if (m->nlmsg_type == NLMSG_ERROR) {
        errno = -((struct nlmsgerr *)NLMSG_DATA(m))->error;
        need(errno ? -1 : 0, what);
        acks--;
      } else if (m->nlmsg_type == RTM_NEWLINK) {
        struct rtattr *a = IFLA_RTA(NLMSG_DATA(m));
        for (int left = IFLA_PAYLOAD(m); RTA_OK(a, left); a = RTA_NEXT(a, left))
          if (a->rta_type == IFLA_LINK) memcpy(&peer, RTA_DATA(a), sizeof peer);
      }
    }
  }
  return peer;
}

// ---- Links, addresses, routes

enum { ADD = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK };
static const struct ifinfomsg any_link, up_link = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};

// Both ends where they belong, the host's with its master and up; then the question for the peer's index, in one send.
static uint32_t create_veth(int host, int ns, const char *name, uint32_t master) {
  begin(RTM_NEWLINK, ADD, &up_link, sizeof up_link);
  text(IFLA_IFNAME, name);
  if (master) put32(IFLA_MASTER, master);
  struct nlattr *info = nest(IFLA_LINKINFO);
  text(IFLA_INFO_KIND, "veth");
  struct nlattr *data = nest(IFLA_INFO_DATA);
  struct nlattr *peer = put(VETH_INFO_PEER, &any_link, sizeof any_link);
  text(IFLA_IFNAME, "eth0");
  put32(IFLA_NET_NS_FD, ns);
  close_nest(peer), close_nest(data), close_nest(info);
  begin(RTM_GETLINK, NLM_F_ACK, &any_link, sizeof any_link);
  text(IFLA_IFNAME, name);
  return talk(host, 2, "veth");
}

static void up(uint32_t link) {
  struct ifinfomsg body = {.ifi_index = link, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
  begin(RTM_NEWLINK, NLM_F_ACK, &body, sizeof body);
}

static void address(uint32_t link, uint32_t ip, int prefix, uint32_t flags) {
  struct ifaddrmsg body = {.ifa_family = AF_INET, .ifa_prefixlen = prefix, .ifa_index = link};
  begin(RTM_NEWADDR, ADD, &body, sizeof body);
  put32(IFA_LOCAL, ip);
  put32(IFA_ADDRESS, ip);
  if (flags) put32(IFA_FLAGS, flags);
}

static void route(uint32_t link, uint32_t to, int prefix, uint32_t gateway) {
  struct rtmsg body = {.rtm_family = AF_INET, .rtm_dst_len = prefix, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST,
                       .rtm_protocol = RTPROT_BOOT, .rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK};
  begin(RTM_NEWROUTE, ADD, &body, sizeof body);
  put32(RTA_OIF, link);
  if (prefix) put32(RTA_DST, to);
  if (gateway) put32(RTA_GATEWAY, gateway);
}

// ---- Masquerade: one element in a set

static void nft(int type, int flags, int family, int resource) {
  struct nfgenmsg body = {.nfgen_family = family, .res_id = htons(resource)};
  begin(type, flags, &body, sizeof body);
}

static void masquerade(int type, const char *table, uint32_t ip) {
  int fd = netlink(NETLINK_NETFILTER); // Left open: closing would wait for what a deletion left to be freed.
  nft(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
  nft(NFNL_SUBSYS_NFTABLES << 8 | type, NLM_F_ACK | (type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0), NFPROTO_INET, 0);
  text(NFTA_SET_ELEM_LIST_TABLE, table);
  text(NFTA_SET_ELEM_LIST_SET, "sources");
  struct nlattr *list = nest(NFTA_SET_ELEM_LIST_ELEMENTS), *element = nest(NFTA_LIST_ELEM), *key = nest(NFTA_SET_ELEM_KEY);
  put32(NFTA_DATA_VALUE, ip);
  close_nest(key), close_nest(element), close_nest(list);
  nft(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
  talk(fd, 1, "nftables");
}

// ---- Files

// Opens host-local's folder and holds its lock until the process ends.
static int lock_leases(const char *path) {
  int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  need(folder, path);
  int lock = openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  need(lock, "lock");
  need(flock(lock, LOCK_EX), "flock");
  return folder;
}

static void write_file(int folder, const char *name, int flags, const char *content) {
  int fd = openat(folder, name, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
  need(fd, name);
  need(write(fd, content, strlen(content)), name);
  close(fd);
}

static void enable_forwarding(void) {
  char value = '0';
  int fd = open("/proc/sys/net/ipv4/ip_forward", O_RDWR | O_CLOEXEC);
  need(fd, "ip_forward");
  need(read(fd, &value, 1), "ip_forward");
  if (value != '1') need(pwrite(fd, "1", 1, 0), "ip_forward");
  close(fd);
}

// ---- The two verbs

static int open_namespace(const char *path) {
  int ns = open(path, O_RDONLY | O_CLOEXEC);
  need(ns, path);
  return ns;
}

// The socket comes from the container's namespace; nothing after it needs this process to be back in its own.
static int netlink_in(int ns) {
  need(setns(ns, CLONE_NEWNET), "setns");
  return netlink(NETLINK_ROUTE);
}

static void add(int ptp, const char *netns, const char *leases, const char *link, const char *ip_text,
                const char *gateway_text, const char *master, const char *table) {
  uint32_t ip = inet_addr(ip_text), gateway = inet_addr(gateway_text), subnet = ip & htonl(~0u << (32 - PREFIX));
  int folder = lock_leases(leases);
  write_file(folder, ip_text, O_EXCL, "floor-container\r\neth0");
  write_file(folder, "last_reserved_ip.0", O_TRUNC, ip_text);

  int ns = open_namespace(netns), host = netlink(NETLINK_ROUTE);
  uint32_t inside = create_veth(host, ns, link, ptp ? 0 : if_nametoindex(master));
  if (ptp) {
    uint32_t outside = if_nametoindex(link);
    address(outside, gateway, 32, 0);
    route(outside, ip, 32, 0);
    talk(host, 2, "host's address and route");
  }
  enable_forwarding();
  if (table) masquerade(NFT_MSG_NEWSETELEM, table, ip);

  int container = netlink_in(ns);
  up(inside);
  address(inside, ip, PREFIX, ptp ? IFA_F_NOPREFIXROUTE : 0);
  if (ptp) {
    route(inside, gateway, 32, 0);
    route(inside, subnet, PREFIX, gateway);
  }
  route(inside, 0, 0, gateway);
  talk(container, ptp ? 5 : 3, "container's address and routes");
}

static void del(const char *netns, const char *leases, const char *ip_text, const char *table) {
  // First nftables: its wait for a grace period then passes within that of the link.
  if (table) masquerade(NFT_MSG_DELSETELEM, table, inet_addr(ip_text));
  int container = netlink_in(open_namespace(netns));
  begin(RTM_DELLINK, NLM_F_ACK, &any_link, sizeof any_link);
  text(IFLA_IFNAME, "eth0");
  talk(container, 1, "delete");
  need(unlinkat(lock_leases(leases), ip_text, 0), ip_text);
}

int main(int argc, char **argv) {
  if (argc >= 9 && !strcmp(argv[1], "add"))
    add(!strcmp(argv[2], "ptp"), argv[3], argv[4], argv[5], argv[6], argv[7], argv[8], argv[9]);
  else if (argc >= 5 && !strcmp(argv[1], "del")) del(argv[2], argv[3], argv[4], argv[5]);
  else if (argc != 2 || strcmp(argv[1], "none")) return dprintf(2, "floor: see the top of floor.c\n"), 2;
  _exit(0);
}
