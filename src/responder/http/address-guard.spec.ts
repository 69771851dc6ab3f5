import type { LookupAddress } from 'node:dns';
import {
  guardedLookup,
  isAllowedAddress,
  isPublicAddress,
  namesForbiddenHost,
  PrivateAddressError,
} from './address-guard.js';

describe('isPublicAddress', () => {
  it.each([
    '8.8.8.8',
    '1.1.1.1',
    '172.15.255.255',
    '172.32.0.1',
    '192.167.1.1',
    '2606:4700::1111',
    '2a00:1450::1',
    // ISATAP of a public address.
    '2001:4860::5efe:8.8.8.8',
  ])('accepts %s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  it.each([
    '127.0.0.1',
    '127.255.255.254',
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::7f00:1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    'fc00::1',
    'fdff::1',
    'fe80::1',
    'ff02::1',
    // Each range of the registries, with its first and last address where they are at a boundary.
    '0.255.255.255',
    '10.255.255.255',
    '100.127.255.255',
    '192.0.0.1',
    '192.0.0.192',
    '192.0.2.1',
    '192.31.196.1',
    '192.52.193.1',
    '192.88.99.1',
    '192.175.48.1',
    '198.19.255.255',
    '198.51.100.1',
    '203.0.113.1',
    '239.255.255.255',
    '240.0.0.1',
    '64:ff9b:1::a00:1',
    '100::1',
    '100:0:0:1::1',
    '2001:2::1',
    '2001:10::1',
    '2001:20::1',
    '2001:db8::1',
    '2620:4f:8000::1',
    '3fff::1',
    '5f00::1',
    'fec0::1',
    // Clouds.
    '100.100.100.200',
    '168.63.129.16',
    '169.254.170.2',
    'fd00:ec2::254',
    'fd20:ce::254',
    // IPv4 addresses in IPv6: compatible, mapped, translated, NAT64, 6to4 and Teredo.
    '::10.0.0.1',
    '::ffff:10.0.0.1',
    '::ffff:a00:1',
    '::ffff:0:10.0.0.1',
    '64:ff9b::10.0.0.1',
    '64:ff9b::8.8.8.8',
    '2002:a00:1::1',
    '2001:0:a00:1::f5ff:fffe',
    // ISATAP, in any network.
    '::5efe:127.0.0.1',
    '2001:4860::5efe:7f00:1',
    '2001:4860::200:5efe:10.0.0.1',
    '2606:4700:1:2:0:5efe:169.254.169.254',
    'fe80::1%eth0',
    'localhost',
    '',
  ])('rejects %s', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

describe('isAllowedAddress, if private addresses are allowed', () => {
  it.each(['127.0.0.1', '10.0.0.1', '192.168.1.1', '::1', 'fd12::1', '::ffff:10.0.0.1', '8.8.8.8'])(
    'accepts %s',
    (address) => {
      expect(isAllowedAddress(address, true)).toBe(true);
    },
  );

  it.each([
    '169.254.169.254',
    '169.254.170.2',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    'fd00:ec2::254',
    'fd20:ce::254',
    'fe80::a9fe:a9fe',
    '::ffff:169.254.169.254',
    '::169.254.169.254',
    '::ffff:0:169.254.169.254',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::a9fe:a9fe',
    '2002:a9fe:a9fe::1',
    '2001:0:a9fe:a9fe::1',
    '2001:0:808:808::5601:5601',
    '2606:4700:1:2:0:5efe:169.254.169.254',
    'nonsense',
  ])('rejects %s', (address) => {
    expect(isAllowedAddress(address, true)).toBe(false);
  });

  it('rejects the names under which clouds serve credentials, and no other name', () => {
    expect(namesForbiddenHost(new URL('http://metadata.google.internal/'), true)).toBe(true);
    expect(namesForbiddenHost(new URL('http://[::ffff:169.254.169.254]/'), true)).toBe(true);
    expect(namesForbiddenHost(new URL('http://bot.internal/'), true)).toBe(false);
    expect(namesForbiddenHost(new URL('http://localhost:3000/'), true)).toBe(false);
  });
});

describe('namesForbiddenHost', () => {
  it.each([
    'http://127.0.0.1/',
    'http://127.1:8080/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://017700000001/',
    'http://[::1]/',
    'http://[::ffff:10.0.0.1]/',
    'http://localhost/',
    'http://LOCALHOST./',
    'http://api.localhost/',
    'http://169.254.169.254/latest/meta-data',
    'http://169.254.43518/',
    'http://[64:ff9b::a9fe:a9fe]/',
    'http://[fd00:ec2::254]/latest/meta-data',
    'http://metadata.google.internal/computeMetadata/v1/',
    'http://METADATA/',
    'http://printer.local/',
    'http://db.corp.internal./',
    'http://router/',
  ])('is true for %s', (url) => {
    expect(namesForbiddenHost(new URL(url), false)).toBe(true);
  });

  it.each([
    'https://example.com/',
    'http://8.8.8.8/',
    'http://[2606:4700::1111]/',
    'http://localhost.example.com/',
  ])('is false for %s', (url) => {
    expect(namesForbiddenHost(new URL(url), false)).toBe(false);
  });
});

describe('guardedLookup', () => {
  const resolved = (addresses: LookupAddress[], options: { all?: boolean }): Promise<unknown> =>
    new Promise((resolve, reject) => {
      guardedLookup(false, (_hostname, _options, callback) => {
        callback(null, addresses);
      })('bot.example.com', options, (error, address, family) => {
        if (error) reject(error);
        else resolve(options.all ? address : [address, family]);
      });
    });

  const publicOne = { address: '8.8.8.8', family: 4 };
  const privateOne = { address: '10.0.0.1', family: 4 };

  it('returns only public addresses to the socket', async () => {
    expect(await resolved([privateOne, publicOne], { all: true })).toEqual([publicOne]);
    expect(await resolved([privateOne, publicOne], {})).toEqual(['8.8.8.8', 4]);
  });

  it('fails if there is no public address', async () => {
    await expect(resolved([privateOne], { all: true })).rejects.toBeInstanceOf(PrivateAddressError);
    await expect(resolved([], {})).rejects.toBeInstanceOf(PrivateAddressError);
  });

  it('passes on an error of the resolver', async () => {
    const failing = guardedLookup(false, (_hostname, _options, callback) => {
      callback(new Error('ENOTFOUND'), []);
    });
    await expect(
      new Promise((_resolve, reject) => {
        failing('x.example.com', {}, (error) => {
          reject(error ?? new Error('no error'));
        });
      }),
    ).rejects.toThrow('ENOTFOUND');
  });
});
