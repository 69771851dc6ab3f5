import { isIPv6 } from 'node:net';

/** Returns the eight 16-bit groups of an IPv6 address, or undefined for other text. */
export function ipv6Groups(address: string): readonly number[] | undefined {
  if (!isIPv6(address)) return undefined;
  const [head = '', tail = ''] = (address.split('%', 1)[0] ?? '').split('::');
  const parse = (text: string): number[] =>
    text === ''
      ? []
      : text.split(':').flatMap((group) => {
          if (!group.includes('.')) return [parseInt(group, 16)];
          const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
          return [a * 256 + b, c * 256 + d];
        });
  const [first, last] = [parse(head), parse(tail)];
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
}

/** The IPv4 address whose upper and lower half are these 16-bit numbers. */
export const ipv4Of = (upper: number, lower: number): string =>
  [upper >> 8, upper & 255, lower >> 8, lower & 255].join('.');
