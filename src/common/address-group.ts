import { ipv4Of, ipv6Groups } from './ip-address.js';

/**
 * Returns what is counted as one address: an IPv4 address, or the /56 network of an IPv6 address, because a
 * single customer of a provider has at least 2^64 IPv6 addresses. An IPv4-mapped address counts as the IPv4
 * address.
 */
export function addressGroup(address: string): string {
  const groups = ipv6Groups(address);
  if (!groups) return address;
  const [a = 0, b = 0, c = 0, d = 0, , f = 0, g = 0, h = 0] = groups;
  if (groups.slice(0, 5).every((group) => group === 0) && f === 0xffff) return ipv4Of(g, h);
  return `${[a, b, c, d & 0xff00].map((group) => group.toString(16)).join(':')}::/56`;
}
