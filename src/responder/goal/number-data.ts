import { toCardinal as ar } from 'n2words/ar-SA';
import { toCardinal as de } from 'n2words/de-DE';
import { toCardinal as en } from 'n2words/en-GB';
import { toCardinal as es } from 'n2words/es-ES';
import { toCardinal as fi } from 'n2words/fi-FI';
import { toCardinal as fr } from 'n2words/fr-FR';
import { toCardinal as id } from 'n2words/id-ID';
import { toCardinal as it } from 'n2words/it-IT';
import { toCardinal as ja } from 'n2words/ja-JP';
import { toCardinal as nl } from 'n2words/nl-NL';
import { toCardinal as pt } from 'n2words/pt-PT';
import { toCardinal as ru } from 'n2words/ru-RU';
import { toCardinal as sv } from 'n2words/sv-SE';
import { toCardinal as uk } from 'n2words/uk-UA';
import { toCardinal as vi } from 'n2words/vi-VN';
import { toCardinal as zh } from 'n2words/zh-Hans-CN';

/** What `n2words` does not know about the numbers of a language. */
export interface NumberData {
  /** Spells out a whole number. */
  toCardinal: (value: number) => string;
  /** Other forms of its words: "standard=form/form". */
  forms: string;
  /** Words within a number that may be left out. */
  and?: string;
  /** A pattern of words that belong to a number, but are not read. */
  parts: string;
  /** Words that make two numbers one expression: "two or three". */
  links: string;
  corrected?: (spelled: string) => string;
  /** Removes what distinguishes the forms of a word, such as its gender. */
  generalized?: (word: string) => string;
}

/** Abbreviations of thousands and more, in any language. */
export const largeUnits = 'k|mio|mill?|mln|mld|mlj|mrd|md|bn|tsd|tys|jt|rb|tr|тыс|тис|млн|млрд';

const romance = 'mil|millon(?:es)?|miliones?|milhao|milhoes|million|millions|milion[ei]';

/** Financial characters, which n2words writes for Chinese, to the usual ones. */
const usualHan: Readonly<Record<string, string>> = {
  壹: '一',
  贰: '二',
  叁: '三',
  肆: '四',
  伍: '五',
  陆: '六',
  柒: '七',
  捌: '八',
  玖: '九',
  拾: '十',
  佰: '百',
  仟: '千',
};

const east = (stem: string): string => `(?:${stem})\\p{l}*`.replaceAll('\\p{l}', '[а-яіїєґ]');

const data = {
  en: {
    toCardinal: en,
    forms: '',
    and: 'and',
    parts:
      'couple|few|several|half|halves|quarters?|thirds?|fourths?|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?|first|second|third|hundreds?|thousands?|millions?|billions?|k|dozens?|score|percent|per ?cent|minus|negative|double|twice|triple',
    links: 'a an the or to through thru till until by times point comma over of plus x',
  },
  ar: {
    toCardinal: ar,
    forms:
      'اثنان=اثنين/اتنين/اثنتان/اثنتين اثنا=اثني/اثنتا/اثنتي احد=احدى مائة=مئة/مية مئتان=مئتين/مائتان/مائتين ثمانية=ثمان/ثماني',
    parts:
      'بضعة|بضع|عدة|نصف|ونصف|ربع|وربع|ثلث|وثلث|الا|بالمئة|بالمائة|ناقص|فاصلة|عشرات|مئات|الاف|و?الفين|و?الفان|و?مليون|و?ملايين|دزينة',
    links: 'و او الى حتى ضرب زائد',
    generalized: (word: string) => word.replace(/ون$/u, 'ين').replace(/[ةه]$/u, ''),
  },
  de: {
    toCardinal: de,
    forms: 'eins=ein/eine/einen/einem/einer zwei=zwo/zweien drei=dreien',
    and: '',
    parts:
      'paar|einige|mehrere|wenige|.{0,40}(?:hundert|tausend).{0,40}|million(?:en)?|milliarden?|(?:zwei|drei|vier|funf|sechs)?(?:ein)?halb\\w{0,2}|anderthalb|viertel|dreiviertel|drittel|dutzend|prozent|minus|erste\\w?|zweite\\w?|dritte\\w?',
    links: 'und oder bis mal plus komma punkt von',
    generalized: (word: string) => word.replace(/ß/gu, 'ss').replace(/ue/gu, 'u').replace(/oe/gu, 'o'),
  },
  es: {
    toCardinal: es,
    forms:
      'uno=una/un veintiuno=veintiun/veintiuna doscientos=doscientas trescientos=trescientas cuatrocientos=cuatrocientas quinientos=quinientas seiscientos=seiscientas setecientos=setecientas ochocientos=ochocientas novecientos=novecientas cien=ciento',
    and: 'y',
    parts: `pareja|algun[oa]s|vari[oa]s|${romance}|medi[oa]s?|cuartos?|tercios?|tercera|docenas?|decenas?|cientos|cientas|centenar(?:es)?|miles|millar(?:es)?|veintenas?|veinti|par|menos|primer[oa]?|segund[oa]`,
    links: 'y o u a al hasta por coma punto mas de',
  },
  fi: {
    toCardinal: fi,
    forms:
      'kaksi=kahdelle/kahden kolme=kolmelle/kolmen neljä=neljälle/neljän viisi=viidelle/viiden kuusi=kuudelle/kuuden',
    parts:
      'pari|muutam\\w*|.{0,40}(?:kymmen|sata|sada|tuhat|tuhan|toista|miljoon).{0,20}|.{0,20}puoli|puolen|puolitoista|\\w{0,12}osaa?|tusina\\w{0,3}|prosentti\\w{0,3}|miinus|pilkku',
    links: 'ja tai pilkku kertaa plus',
    corrected: (spelled: string) => spelled.replace(/(?<=\p{L}) sata/u, 'sataa'),
  },
  fr: {
    toCardinal: fr,
    forms: 'un=une vingt=vingts cent=cents',
    and: 'et',
    parts: `paires?|quelques|plusieurs|${romance}|milliers?|milliards?|centaines?|(?:diz|douz|quinz|vingt|trent|quarant|cinquant|soixant)aines?|demie?s?|quarts?|tiers|premiere?|seconde?|moins|pourcent|septante|huitante|octante|nonante`,
    links: 'et ou a au jusqu de virgule point fois plus sur pour',
  },
  id: {
    toCardinal: id,
    forms: '',
    and: '',
    parts:
      'beberapa|sepasang|belas|puluh|ratus|ribu|juta|miliar|seribu|puluhan|ratusan|ribuan|setengah|separuh|seperempat|lusin|selusin|persen|minus|pertama|perempat|pertiga|se(?:puluh|ratus|belas)',
    links: 'dan atau sampai hingga kali koma titik per tambah ke',
  },
  it: {
    toCardinal: it,
    forms: 'uno=una/un',
    and: '',
    parts: `paio|alcun[ei]|qualche|coppia|${romance}|mila|.{2,30}mila|.{3,30}cento.{0,20}|mezz[oa]|quart[oi]|terz[oi]|dozzin[ae]|decin[ae]|centinai[oa]|migliai[oa]|ventina|trentina|prim[oa]|second[oa]|meno|percento`,
    links: 'e o od a fino virgola punto per piu su di',
    // "ventun persone", "trentun giorni".
    generalized: (word: string) => word.replace(/(?<=\p{L}{4})tun$/u, 'tuno').replace(/^ventun$/u, 'ventuno'),
  },
  ja: { toCardinal: ja, forms: '', parts: '半|廿|卅', links: 'から か まで または と' },
  nl: {
    toCardinal: nl,
    forms: 'twee=tweeën drie=drieën vier=vieren',
    and: 'en',
    parts:
      'paar|paartje|enkele|.{0,30}honderd.{0,30}|.{0,30}duizend.{0,30}|miljoen|miljard|half|halve|anderhalve?|.{0,10}enhalf|kwart|kwartier|derde|dozijn|procent|min|eerste|tweede|tiental\\w*|twintigtal',
    links: 'en of tot a maal keer komma punt plus van',
  },
  pt: {
    toCardinal: pt,
    forms:
      'um=uma dois=duas dezasseis=dezesseis dezassete=dezessete dezanove=dezenove catorze=quatorze duzentos=duzentas trezentos=trezentas quatrocentos=quatrocentas quinhentos=quinhentas seiscentos=seiscentas setecentos=setecentas oitocentos=oitocentas novecentos=novecentas',
    and: 'e',
    parts: `alguns|algumas|casal|${romance}|mei[oa]s?|quartos?|terços?|tercos?|duzias?|dezenas?|centenas?|milhar(?:es)?|milhares|vintena|par|menos|primeir[oa]|segund[oa]`,
    links: 'e ou a ate por virgula ponto mais de',
  },
  ru: {
    toCardinal: ru,
    forms:
      'один=одна/одно/одного/одной/одну два=две/двух/двоих/двое/двум три=трех/троих/трое/трем четыре=четырех/четверых/четверо пять=пяти/пятерых/пятеро шесть=шести/шестерых/шестеро семь=семи/семерых/семеро восемь=восьми девять=девяти десять=десяти',
    parts: `пар[ауы]|несколько|${east(
      '(?:дв|тр|четыр|пят|шест|сем|восем|восьм|девят|один|две|три)[а-яіїєґ]*(?:дцат|десят|ст[аео]|сот)|двадцат|тридцат|сорок|девяност|десятк|десяток|дюжин|тысяч|миллион|миллиард|сотн|половин|полтор|четверт|треть|процент',
    )}|ста|сот|пол|минус|целых|десятых|перв[а-я]+|втор[а-я]+|трет[а-я]+|четверт[а-я]+|пят(?:ый|ая|ое|ого)|шест(?:ой|ая|ое|ого)|седьм[а-я]+|восьм(?:ой|ая|ое|ого)|девят(?:ый|ая|ое|ого)`,
    links: 'и или до с по запятая плюс',
  },
  sv: {
    toCardinal: sv,
    forms: 'ett=en',
    and: 'och',
    parts:
      'par|nagra|.{0,30}hundra.{0,30}|.{0,30}tusen.{0,30}|miljon|miljoner|miljard\\w*|halv|halva|halvt|en?halv|kvart|kvarts|tredjedel\\w*|fjardedel\\w*|dussin|procent|minus|forsta|andra|tjog|tiotal|hundratal',
    links: 'och eller till komma punkt ganger plus av',
    // "tjugoen personer".
    generalized: (word: string) => word.replace(/(?<=tio|tjugo|hundra)en$/u, 'ett'),
  },
  uk: {
    toCardinal: uk,
    forms:
      "один=одна/одне/одного/одну два=дві/двох/двоє/двом три=трьох/троє/трьом чотири=чотирьох/четверо п'ять=п'яти/п'ятьох/п'ятеро шість=шести/шістьох сім=семи/сімох вісім=восьми/вісьмох дев'ять=дев'яти десять=десяти",
    parts: `пар[ауи]|кілька|декілька|${east(
      "(?:дв|тр|чотир|п'?ят|шіст|шест|сім|сем|вісім|восьм|дев'?ят|один)[а-яіїєґ]*(?:дцят|десят|ст[аео]|сот)|двадцят|тридцят|сорок|дев'?яност|десятк|дюжин|тисяч|мільйон|мільярд|сотн|половин|півтор|чверт|третин|відсотк",
    )}|ста|сот|пів|мінус|перш[а-яії]+|друг[а-яії]+|трет[а-яії]+`,
    links: 'і й та або чи до з по кома плюс',
    // It writes Latin letters within Ukrainian words.
    corrected: (spelled: string) => spelled.replace(/i/gu, 'і'),
  },
  vi: {
    toCardinal: vi,
    forms: 'một=mốt bốn=tư lăm=nhăm lẻ=linh nghìn=ngàn',
    parts:
      'đôi|rưỡi|rưởi|nửa|phần|chục|tá|trăm|nghìn|ngàn|vạn|triệu|tỷ|tỉ|mươi|lẻ|linh|mốt|lăm|tư|âm|phẩy|thứ|vài',
    links: 'và hoặc hay đến tới chia nhân cộng',
  },
  zh: {
    toCardinal: zh,
    forms: '二=两/兩',
    parts: '半',
    links: '到 至 或 或者 还是 還是 和',
    generalized: (word: string) =>
      word
        .replace(/[两兩]/gu, '二')
        .replace(/〇/gu, '零')
        .replace(/^一十/u, '十')
        .replace(/百一十/u, '百十'),
    corrected: (spelled: string) => [...spelled].map((char) => usualHan[char] ?? char).join(''),
  },
} satisfies Record<string, NumberData>;

export type Language = keyof typeof data;

export const numberData: Readonly<Record<Language, NumberData>> = data;
