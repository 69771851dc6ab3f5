import { trustedHops, trustProxy, type TrustProxy } from './trust-proxy.js';

const parsed = (text: string): TrustProxy => trustProxy.parse(text);

describe('TRUST_PROXY', () => {
  it.each([
    ['off', false],
    ['false', false],
    ['0', false],
    ['1', 1],
    ['3', 3],
    ['loopback', ['loopback']],
    ['10.0.0.0/8, 192.0.2.7,fd00::/8', ['10.0.0.0/8', '192.0.2.7', 'fd00::/8']],
  ])('accepts %s', (text, value) => {
    expect(parsed(text)).toEqual(value);
  });

  it.each([
    'true',
    'TRUE',
    'on',
    'yes',
    '',
    '11',
    '-1',
    '1.5',
    '0.0.0.0/0',
    '::/0',
    '10.0.0.0/33',
    '10.0.0',
    'proxy',
    '10.0.0.0/8,',
  ])('rejects %j', (text) => {
    expect(trustProxy.safeParse(text).success).toBe(false);
  });

  it('explains why true is not accepted', () => {
    const message = trustProxy.safeParse('true').error?.issues[0]?.message;
    expect(message).toMatch(/clients could then forge their address.*number of proxies.*networks/);
  });

  it('trusts as many hops as there are proxies', () => {
    expect(trustedHops(false)).toBe(false);
    const trusts = trustedHops(2);
    expect(trusts && [0, 1, 2, 3].map((hop) => trusts('192.0.2.1', hop))).toEqual([true, true, false, false]);
  });

  it('trusts hops in the given networks, also if IPv6 sockets report their IPv4 address', () => {
    const trusts = trustedHops(['10.0.0.0/8', 'loopback', '192.0.2.7']);
    const trusted = ['10.1.2.3', '::ffff:10.1.2.3', '127.0.0.1', '::1', '192.0.2.7'];
    const others = ['11.0.0.1', '::ffff:11.0.0.1', '192.0.2.8', '2001:db8::1', 'nonsense', ''];
    for (const address of trusted) expect([address, trusts && trusts(address, 0)]).toEqual([address, true]);
    for (const address of others) expect([address, trusts && trusts(address, 0)]).toEqual([address, false]);
  });
});
