/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * tag.bpf.c - tc programs that make a host speak through VLAN tags where the kernel has no VLAN device: out with tags,
 * in without. One section a tag or pair of tags: `tc filter add dev eth0 egress bpf da obj tag.bpf.o sec push_7`.
 */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))
#define CTAG	  0x0081 /* 0x8100 and 0x88a8 in network order */
#define STAG	  0xa888
#define PASS	  0 /* TC_ACT_OK */

static long (*skb_vlan_push)(struct __sk_buff *skb, __u16 proto,
			     __u16 tci) = (void *)BPF_FUNC_skb_vlan_push;
static long (*skb_vlan_pop)(struct __sk_buff *skb) = (void *)BPF_FUNC_skb_vlan_pop;

SEC("push_7") int tag_push_7(struct __sk_buff *skb)
{
	skb_vlan_push(skb, CTAG, 7);
	return PASS;
}

SEC("push_9") int tag_push_9(struct __sk_buff *skb)
{
	skb_vlan_push(skb, CTAG, 9);
	return PASS;
}

SEC("push_100_8") int tag_push_100_8(struct __sk_buff *skb)
{
	skb_vlan_push(skb, CTAG, 8);
	skb_vlan_push(skb, STAG, 100);
	return PASS;
}

SEC("pop") int tag_pop(struct __sk_buff *skb)
{
	skb_vlan_pop(skb);
	return PASS;
}

SEC("pop_pop") int tag_pop_pop(struct __sk_buff *skb)
{
	skb_vlan_pop(skb);
	skb_vlan_pop(skb);
	return PASS;
}

char tag_license[] SEC("license") = "Dual BSD/GPL";
