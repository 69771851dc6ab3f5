/** The options of a MongoDB connection string by their names in lower case, as the driver compares them. */
export function mongoUriOptions(uri: string): ReadonlyMap<string, string> {
  const [, query = ''] = /\?(.*)$/.exec(uri) ?? [];
  return new Map([...new URLSearchParams(query)].map(([name, value]) => [name.toLowerCase(), value]));
}
