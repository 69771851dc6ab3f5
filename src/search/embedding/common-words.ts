const setOf = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/**
 * English function words, which say nothing about the subject of a sentence, and fragments that apostrophes
 * leave (`don`, `ll`).
 */
export const functionWords = setOf(`
  a an the and or but if so as at by for from in into of off on onto out over per than to up down with without about after before
  between during until till i me my mine myself we us our ours you your yours he him his she her hers it its they them their theirs
  this that these those here there who whom whose what which when where why how am is are was were be been being do does did done
  doing have has had having can could may might must shall should will would ought not no nor yes yeah yep nope ok okay s t d ll m
  re ve don didn doesn isn wasn won wouldn couldn just also too very really only then now still again any some all each both either
  neither other another such same own more most much many few less least lot lots bit
`);

/** English words that are common in any service dialogue: courtesies, and verbs of asking and giving. */
export const commonplaces = setOf(`
  please thanks thank hello hi hey bye goodbye sure right correct great good nice fine perfect excellent awesome cool alright well
  welcome sorry want need like love wish help assist assistance find look looking search get got give take make know tell see let
  think mean say said ask go going come keep put try use show check work works sound sounds anything something everything nothing
  else thing things way time day today one two first last next new back far long kind sort available information option options
  interested happy enjoy wonderful appreciate confirm yourself
`);
