/**
 * Returns the options of a MongoDB connection string, by name in lower case because the driver ignores case.
 */
export function mongoUriOptions(uri: string): ReadonlyMap<string, string> {
  const [, query = ''] = /\?(.*)$/.exec(uri) ?? [];
  return new Map([...new URLSearchParams(query)].map(([name, value]) => [name.toLowerCase(), value]));
}
