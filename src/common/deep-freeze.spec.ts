import { deepFreeze } from './deep-freeze.js';

describe('deepFreeze', () => {
  it('freezes objects and arrays recursively and in place', () => {
    const value = {
      list: [{ a: 1 }],
      inner: Object.assign(Object.create(null) as object, { b: {} }),
      text: 'x',
    };
    expect(deepFreeze(value)).toBe(value);
    for (const part of [value, value.list, value.list[0], value.inner, value.inner.b])
      expect(Object.isFrozen(part)).toBe(true);
  });

  it('does not freeze class instances', () => {
    const value = deepFreeze({ at: new Date(0), bytes: Buffer.from('x') });
    value.bytes[0] = 0x79;
    expect(value.bytes.toString()).toBe('y');
    expect(Object.isFrozen(value.at)).toBe(false);
  });

  it.each([1, 'x', null, undefined])('returns %p', (value) => {
    expect(deepFreeze(value)).toBe(value);
  });
});
