/** What is embedded: the summary says most, and its words count twice with those of the text. */
export const embeddedText = ({
  transcript,
  summary,
}: {
  transcript: string;
  summary?: string | undefined;
}): string => (summary === undefined ? transcript : `${summary}\n${transcript}`);
