/**
 * The text to embed. The summary carries the most information; its words count in addition to those of the
 * text.
 */
export const embeddedText = ({
  transcript,
  summary,
}: {
  transcript: string;
  summary?: string | undefined;
}): string => (summary === undefined ? transcript : `${summary}\n${transcript}`);
