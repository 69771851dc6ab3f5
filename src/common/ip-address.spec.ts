import { ipv4Of, ipv6Groups } from './ip-address.js';

describe('ipv6Groups', () => {
  it.each([
    ['::', [0, 0, 0, 0, 0, 0, 0, 0]],
    ['::1', [0, 0, 0, 0, 0, 0, 0, 1]],
    ['2001:db8::1:2', [0x2001, 0xdb8, 0, 0, 0, 0, 1, 2]],
    ['1:2:3:4:5:6:7:8', [1, 2, 3, 4, 5, 6, 7, 8]],
    ['1::2:3:4:5:6:7', [1, 0, 2, 3, 4, 5, 6, 7]],
    ['::ffff:192.0.2.7', [0, 0, 0, 0, 0, 0xffff, 0xc000, 0x207]],
    ['FE80::1%eth0', [0xfe80, 0, 0, 0, 0, 0, 0, 1]],
    ['192.0.2.7', undefined],
    ['nonsense', undefined],
  ])('of %s', (address, groups) => {
    expect(ipv6Groups(address)).toEqual(groups);
  });
});

it('ipv4Of joins two halves', () => {
  expect(ipv4Of(0xc000, 0x207)).toBe('192.0.2.7');
});
