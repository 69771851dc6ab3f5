import { createRedactor, plainError, plainFields } from './redaction.js';

const tenantKey = `ck_0123456789abcdef_${'Ab-_9'.repeat(9).slice(0, 43)}`;

describe('createRedactor', () => {
  const redact = createRedactor(['a secret of the settings', 'pass/word"1']);

  it.each([
    [
      'the key of a tenant, except for its public part',
      `key ${tenantKey} was refused`,
      'ck_0123456789abcdef_[',
    ],
    ['an admin key', `admin_${'x'.repeat(32)} given`, 'admin_[redacted] given'],
    ['a bearer', 'Authorization: Bearer abc.def-ghi', 'authorization: [redacted]'],
    ['a basic authorization', 'authorization: Basic dXNlcjpwYXNz', 'authorization: [redacted]'],
    ['cookies', 'Cookie: colloquy_admin=abc.def; other=1', 'Cookie: [redacted]'],
    ['the password of a database', 'mongodb://ann:s3cr3t@db:27017/x', 'mongodb://[redacted]@db:27017/x'],
    ['a password with an @', 'mongodb+srv://ann:s3@cr3t@db/x', 'mongodb+srv://[redacted]@db/x'],
    ['the password of Redis', 'redis://:s3cr3t@cache:6379', 'redis://[redacted]@cache:6379'],
    ['the query of a URL', 'GET https://a.example/b?apiKey=1&q=hello', 'https://a.example/b?[redacted]'],
    ['the query of a path', 'GET /v1/messages?since=2020 failed', 'GET /v1/messages?[redacted] failed'],
    ['the key of a model', 'Incorrect API key provided: sk-abcdefghijkl', 'provided: sk-[redacted]'],
    ['an assignment', 'apiKey=hello123&x', 'apiKey=[redacted]'],
    ['a value of the settings', 'found: a secret of the settings!', 'found: [redacted]!'],
    ['that value in a URL', 'at x/a%20secret%20of%20the%20settings', 'at x/[redacted]'],
    ['that value in JSON', JSON.stringify({ a: 'pass/word"1' }), '{"a":"[redacted]"}'],
  ])('hides %s', (_what, text, expected) => {
    const safe = redact(text);
    expect(safe).toContain(expected);
    expect(safe).not.toMatch(/s3|cr3t|abc\.def|dXNl|colloquy_admin|hello|secret of|word|abcdefgh|Ab-_9/);
  });

  it('keeps a line valid JSON', () => {
    const fields = {
      a: tenantKey,
      b: 'Bearer abcdefghijk',
      c: 'cookie: x=1',
      d: 'mongodb://u:p@h/x?y=z',
      e: 'end',
    };
    expect(JSON.parse(redact(JSON.stringify(fields)))).toMatchObject({ c: 'cookie: [redacted]', e: 'end' });
  });

  it('does not change ordinary texts', () => {
    const text =
      'GET /v1/conversations/:id took 12 ms (basic check, no cookie), see https://example.com/docs#x';
    expect(redact(text)).toBe(text);
  });
});

describe('plainError', () => {
  it('omits the properties in which drivers store rows and commands', () => {
    const error = Object.assign(
      new Error('E11000 duplicate key error dup key: { content: "what Ann wrote" }'),
      {
        code: 11000,
        writeErrors: [{ err: { op: { content: 'what Ann wrote' } } }],
        keyValue: { content: 'what Ann wrote' },
      },
    );
    const wrapped = new Error('not stored', { cause: error });
    const plain = plainError(wrapped);
    expect(plain).toMatchObject({ message: 'not stored', cause: { code: 11000 } });
    expect(plain.stack).toContain('redaction.spec');
    expect(plain.cause?.stack).toContain('redaction.spec');
    expect(JSON.stringify(plain)).not.toContain('Ann');
  });

  it.each([
    'Cast to string failed for value "{ a: \'what Ann wrote\' }" (type Object) at path "content"',
    'Path `content` (`what Ann wrote`) is longer than the maximum allowed length (5).',
    '`what Ann wrote` is not a valid enum value for path `role`.',
  ])('hides a quoted value: %s', (message) => {
    const { message: safe, stack } = plainError(new Error(message));
    expect(`${safe}${stack}`).not.toContain('Ann');
    expect(safe).toContain('[redacted]');
  });

  it.each([
    'what Ann wrote',
    '{"a": "what Ann wrote',
    `{"a": "${'x'.repeat(50)} what Ann wrote" ! "${'y'.repeat(50)}"}`,
  ])('hides what a parser quotes from %s', (text) => {
    let caught: unknown;
    try {
      JSON.parse(text);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(SyntaxError);
    expect(JSON.stringify(plainError(caught))).not.toMatch(/Ann|xxx|yyy/);
  });

  it('handles a circular chain of causes', () => {
    const error = new Error('a');
    error.cause = error;
    expect(JSON.stringify(plainError(error)).length).toBeLessThan(50_000);
  });
});

describe('plainFields', () => {
  it('hides contents and secrets by name, at any depth, and keeps counts', () => {
    const message = { role: 'user', content: 'what Ann wrote', externalId: 'e1' };
    const fields = plainFields({
      message,
      batch: [{ transcript: 'what Ann wrote', transcripts: 3 }],
      headers: { authorization: 'Bearer x', 'set-cookie': ['a=b'], 'x-api-key': 'k', host: 'h' },
      options: { password: 'p', apiKey: 'k', nextPageToken: 't' },
      messages: 4,
    });
    expect(fields).toEqual({
      message: { role: 'user', content: '[redacted]', externalId: 'e1' },
      batch: [{ transcript: '[redacted]', transcripts: 3 }],
      headers: {
        authorization: '[redacted]',
        'set-cookie': '[redacted]',
        'x-api-key': '[redacted]',
        host: 'h',
      },
      options: { password: '[redacted]', apiKey: '[redacted]', nextPageToken: '[redacted]' },
      messages: 4,
    });
  });

  it('replaces class instances with their class name', () => {
    class Socket {
      readonly written = 'what Ann wrote';
    }
    const at = new Date(0);
    expect(
      plainFields({ socket: new Socket(), bytes: Buffer.from('abc'), at, url: new URL('http://h/') }),
    ).toEqual({
      socket: '[Socket]',
      bytes: '[3 bytes]',
      at: at.toJSON(),
      url: 'http://h/',
    });
  });

  it('handles circular data', () => {
    const data: Record<string, unknown> = {};
    data['self'] = data;
    expect(JSON.stringify(plainFields(data))).toContain('[…]');
  });
});
