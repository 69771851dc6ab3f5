import type { Language } from './number-data.js';

/** Words beside a value that say something else about it, in one language, as patterns of complete words. */
export interface ContextData {
  /** "not 7", "7 not". */
  negation: string;
  /** "two hours before 7", "7 at the latest", "the day after". */
  shift: string;
  /** Before a value only: "i" of "fem i halv åtta". */
  shiftBefore?: string;
  /** Units of a duration: "7, two hours earlier". */
  units: string;
  /** Before two ends of a range: "between". */
  between: string;
  /**
   * Words between a value and the words above: articles and prepositions, and counters in Japanese. None is
   * composed of others or contains punctuation, so that a sequence of them is matched in one way only.
   */
  fillers: string;
  /** Between a day of the week and a day of the month: "friday the 13th". */
  articles: string;
  /** Between a day and a number of days: "heute in acht Tagen". */
  counting: string;
  /** Monday to Sunday, also abbreviated. */
  weekdays: readonly string[];
  /** Before a number that is only a part of a sum: "me plus 3". */
  sum: string;
}

const list = (words: string): string[] => words.split(' ');

const hanNumber = '[\\d〇零一二三四五六七八九十百半两兩几幾数數]{1,4}';
const hanDuration = `${hanNumber}(?:[个個箇ヶか]?半?(?:小时|小時|钟头|鐘頭|分钟|分鐘|刻钟|時間|分間?|日間?|週間?|天|周|星期|礼拜|月|年)半?)`;

export const contextData: Readonly<Record<Language, ContextData>> = {
  en: {
    negation:
      "not|no|nope|never|neither|nor|except|rather than|instead of|cannot|cant|wont|isnt|doesnt|(?:is|do|does|did|are|was|were|wo|ca|can)n['’]t",
    shift:
      'before|after|earlier|later|following|prior to|ahead of|beforehand|afterwards?|plus|minus|(?:hours?|minutes?|mins?|days?|weeks?) from',
    units: 'hours?|hrs?|minutes?|mins?|days?|weeks?|months?',
    between: 'between',
    fillers: "the|an?|at|on|in|of|by|for|about|around|from|to|than|until|is|it|it'?s|o'? ?clock",
    articles: 'the|an?|of',
    counting: 'in',
    weekdays: list(
      'mon(?:day)? tue(?:s(?:day)?)? wed(?:nesday)? thu(?:r(?:s(?:day)?)?)? fri(?:day)? sat(?:urday)? sun(?:day)?',
    ),
    sum: '(?:me|myself|us|i|my \\p{L}+) (?:and|with|plus)(?: my)?|plus',
  },
  ar: {
    negation: 'ليست?|لست|لا|غير|بدلا من|بدل|ما عدا|باستثناء|بل|مو|مش|وليس|كلا',
    shift: 'قبل|بعد|قبلها|بعدها|لاحقا|ابكر|بساعة|بساعتين',
    units: 'ساعة|ساعتين|ساعات|دقيقة|دقائق|يوم|يومين|ايام|اسبوع|اسبوعين|اسابيع',
    between: 'بين',
    fillers: 'الساعة|الساعه|من|في|يوم|عند|الى|على|تمام',
    articles: 'يوم|الموافق',
    counting: 'خلال',
    weekdays: list('الاثنين|الإثنين الثلاثاء|الثلاثا الاربعاء|الاربعا الخميس الجمعة|الجمعه السبت الاحد'),
    sum: 'زائد|انا و|انا مع',
  },
  de: {
    negation: 'nicht|nein|nee|ne|nie|kein(?:e[nrsm]?)?|statt|anstatt|anstelle|sondern|außer|ohne',
    shift: 'vor|nach|vorher|nachher|danach|davor|fruher|spater|eher|zuvor|plus|minus',
    units: 'stunden?|std|minuten?|min|tage?n?|wochen?|monate?n?',
    between: 'zwischen',
    fillers:
      'de[nrms]|die|das|ein(?:e[nrms]?)?|um|am|an|im|in|ab|gegen|zum|zur|fur|von|vom|uhr|es|ist|zu|als',
    articles: 'de[nrm]|dem|ein',
    counting: 'in|uber|auf',
    weekdays: list(
      'mo(?:ntag)?s? di(?:enstag)?s? mi(?:ttwoch)?s? do(?:nnerstag)?s? fr(?:eitag)?s? sa(?:mstag)?s?|sonnabends? so(?:nntag)?s?',
    ),
    sum: 'plus|ich und|wir und|uns und|mir und',
  },
  es: {
    negation: 'no|nunca|tampoco|ni|sino|excepto|salvo|en vez de|en lugar de',
    shift: 'antes|despues|mas tarde|mas temprano|tras|luego|previo|anterior|posterior|previa|mas|menos',
    units: 'horas?|minutos?|min|dias?|semanas?|mes|meses',
    between: 'entre',
    fillers: 'el|la|los|las|un|una|de|del|al?|en|por|para|sobre|desde|hacia|es|son|somos',
    articles: 'el|dia|de|un',
    counting: 'en|dentro de',
    weekdays: list('lun(?:es)? martes mie(?:rcoles)? jue(?:ves)? vie(?:rnes)? sab(?:ado)? dom(?:ingo)?'),
    sum: 'mas|yo y|nosotros y|yo con',
  },
  fi: {
    negation: 'ei|eika|en|emme|ala|paitsi|vaan|sijaan|sijasta|ilman',
    shift: 'ennen|jalkeen|myohemmin|aiemmin|aikaisemmin|sitten|plus|miinus',
    units: 'tuntia?|tunnin|minuuttia?|minuutin|min|paivaa?|paivan|viikkoa?|viikon',
    between: 'valilla|valissa',
    fillers: 'kello|klo|kl|se|on|noin|kun|vaan',
    articles: 'se',
    counting: '',
    weekdays: list(
      'ma(?:anantai\\p{L}*)? ti(?:istai\\p{L}*)? ke(?:skiviik\\p{L}*)? to(?:rstai\\p{L}*)? pe(?:rjantai\\p{L}*)? la(?:uantai\\p{L}*)? su(?:nnuntai\\p{L}*)?',
    ),
    sum: 'plus|mina ja|me ja|lisaksi',
  },
  fr: {
    negation: 'pas|non|nan|ni|jamais|sauf|excepte|hormis|plutot que|au lieu de|au lieu du',
    shift: 'avant|apres(?![- ]?midi)|plus tard|plus tot|auparavant|precedent|plus|moins',
    units: 'heures?|h|minutes?|min|jours?|semaines?|mois',
    between: 'entre',
    fillers: 'les?|la|l|un|une|de|du|des|d|a|au|aux|en|vers|pour|c|est|sommes|ce',
    articles: 'le|l|un',
    counting: 'en|dans|sous',
    weekdays: list('lun(?:di)? mardi mer(?:credi)? jeu(?:di)? ven(?:dredi)? sam(?:edi)? dim(?:anche)?'),
    sum: 'plus|moi et|nous et|moi avec',
  },
  id: {
    negation: 'bukan|tidak|tak|jangan|kecuali|enggak|nggak|gak|selain|melainkan|tanpa',
    shift: 'sebelum(?:nya)?|setelah(?:nya)?|sesudah(?:nya)?|lebih awal|lebih lambat|kemudian|usai|tambah',
    units: 'jam|menit|hari|minggu|bulan',
    between: 'antara',
    fillers: 'jam|pukul|pada|di|untuk|dari|hari|tanggal|tgl|orang|sekitar',
    articles: 'tanggal|tgl',
    counting: 'dalam',
    weekdays: list("senin selasa rabu kamis jum['’]?at sabtu minggu|ahad"),
    sum: 'plus|tambah|ditambah|saya dan|aku dan|kami dan',
  },
  it: {
    negation: 'non|no|mai|ne|bensi|tranne|eccetto|salvo|invece d(?:i|el|elle|ella)|invece che|al posto di',
    shift: 'prima|dopo|piu tardi|piu presto|successiv[aoei]|precedente|piu|meno',
    units: 'or[ae]|minut[oi]|min|giorn[oi]|settiman[ae]|mes[ei]',
    between: 'tra|fra',
    fillers: 'il|lo|la|le|i|l|un|una|uno|di|del|della|dell|delle|all|alle|al|a|in|per|verso|dalle|siamo|e',
    articles: 'il|l|un',
    counting: 'a|in|tra|fra',
    weekdays: list('lun(?:edi)? martedi mer(?:coledi)? gio(?:vedi)? ven(?:erdi)? sab(?:ato)? dom(?:enica)?'),
    sum: 'piu|io e|noi e|me e|io con',
  },
  ja: {
    negation:
      '(?:じゃ|では|で)(?:な[いく]|あり?ません)|じゃなし|いいえ|いや|違[いうっ]|ちが[いうっ]|以外|だめ|ダメ|駄目|無理|やめ|除[いく]',
    shift: `前|後(?!半)|まえ|あと|以前|以降|以後|より|(?:${hanDuration})(?:早|遅|はや|おそ)`,
    units: hanDuration,
    between: '',
    fillers: 'の|に|は|が|を|で|人|名|時|月|日',
    articles: 'の',
    counting: '',
    weekdays: list(
      '月曜日?|[(（]月[)）] 火曜日?|[(（]火[)）] 水曜日?|[(（]水[)）] 木曜日?|[(（]木[)）] 金曜日?|[(（]金[)）] 土曜日?|[(（]土[)）] 日曜日?|[(（]日[)）]',
    ),
    sum: '(?:私|僕|俺|自分|わたし)(?:と|に加えて)|プラス|[+＋]',
  },
  nl: {
    negation: 'niet|nee|neen|geen|nooit|behalve|in plaats van|zonder',
    shift: 'voor|na|eerder|later|vroeger|daarvoor|daarna|erna|ervoor|plus|min',
    units: 'uur|uren|uurtje|minuten|minuut|min|dag(?:en)?|we(?:ek|ken)|maand(?:en)?',
    between: 'tussen',
    fillers: 'de|het|een|om|op|rond|tegen|vanaf|van|voor|in|te|met|uur|is|dan',
    articles: 'de|een|en met',
    counting: 'over|in',
    weekdays: list(
      'ma(?:andag)? di(?:nsdag)? wo(?:ensdag)? do(?:nderdag)? vr(?:ijdag)? za(?:terdag)? zo(?:ndag)?',
    ),
    sum: 'plus|ik en|wij en|mij en',
  },
  pt: {
    negation: 'nao|nem|nunca|exceto|salvo|em vez d(?:e|as?|os?)|ao inves d(?:e|as?|os?)|e sim',
    shift: 'antes|depois|apos|mais tarde|mais cedo|seguinte|anterior|mais|menos',
    units: 'horas?|minutos?|min|dias?|semanas?|mes|meses',
    between: 'entre',
    fillers: 'o|a|os|as|um|uma|de|do|da|dos|das|no|na|em|ao|aos|para|pelas|por|e|sao|somos|dia',
    articles: 'o|dia|um|de',
    counting: 'em|a|dentro de',
    weekdays: list(
      'segunda(?:[-\\s]?feira)? terca(?:[-\\s]?feira)? quarta(?:[-\\s]?feira)? quinta(?:[-\\s]?feira)? sexta(?:[-\\s]?feira)? sabado domingo',
    ),
    sum: 'mais|eu e|nos e|eu com',
  },
  ru: {
    negation: 'не|нет|ни|кроме|вместо|никак',
    shift: 'до|после|перед|раньше|позже|позднее|спустя|ранее|плюс|минус',
    units: 'час\\p{L}*|минут\\p{L}*|мин|день|дня|дней|недел\\p{L}*|месяц\\p{L}*',
    between: 'между',
    fillers: 'в|во|на|к|с|около|для|от|час\\p{L}*|это',
    articles: '',
    counting: '',
    weekdays: list(
      'понедельник\\p{L}*|пн вторник\\p{L}*|вт сред[ауые]|ср четверг\\p{L}*|чт пятниц\\p{L}*|пт суббот\\p{L}*|сб воскресен\\p{L}*|вс',
    ),
    sum: 'плюс|я и|мы и|я с',
  },
  sv: {
    negation: 'inte|nej|ej|icke|inga|ingen|aldrig|utom|utan|istallet for|i stallet for',
    shift: 'fore|efter|innan|senare|tidigare|darefter|plus|minus',
    shiftBefore: 'i|over',
    units: 'timm(?:ar|e)|minut(?:er)?|min|dag(?:ar)?|veck(?:a|or)|manad(?:er)?',
    between: 'mellan',
    fillers: 'den|det|de|en|ett|klockan|kl|vid|pa|av|for|till|om|ar|kring',
    articles: 'den',
    counting: 'om',
    weekdays: list(
      'man(?:dag\\p{L}*)? tis(?:dag\\p{L}*)? ons(?:dag\\p{L}*)? tors(?:dag\\p{L}*)? fre(?:dag\\p{L}*)? lor(?:dag\\p{L}*)? son(?:dag\\p{L}*)?',
    ),
    sum: 'plus|jag och|vi och|mig och',
  },
  uk: {
    negation: 'не|ні|ані|крім|окрім|замість|немає|нема',
    shift: 'до|після|перед|раніше|пізніше|потому|плюс|мінус',
    units: 'годин\\p{L}*|хвилин\\p{L}*|хв|день|дня|дні|днів|тижн\\p{L}*|тиждень|місяц\\p{L}*',
    between: 'між',
    fillers: 'в|у|на|о|об|к|з|близько|для|від|годин\\p{L}*|це',
    articles: '',
    counting: '',
    weekdays: list(
      "понеділ\\p{L}*|пн вівтор\\p{L}*|вт серед[ауиі]|ср четвер\\p{L}*|чт п['’ʼ]?ятниц\\p{L}*|пт субот\\p{L}*|сб неділ\\p{L}*|нд",
    ),
    sum: 'плюс|я і|я й|я та|ми і|ми та|я з',
  },
  vi: {
    negation: 'không|không phải|không phải là|chứ|đừng|chẳng|chả|trừ|thay vì|ngoại trừ',
    shift: 'trước|sau|sớm hơn|muộn hơn|trễ hơn|cộng|trừ',
    units: 'giờ|tiếng|phút|ngày|tuần|tháng',
    between: 'giữa(?! trưa)|trong khoảng',
    fillers: 'lúc|vào|khoảng|ngày|là|phải|buổi|người|của|từ|thứ|này',
    articles: 'ngày|mùng|mồng',
    counting: 'trong',
    weekdays: [
      'thứ (?:hai|2)',
      'thứ (?:ba|3)',
      'thứ (?:tư|4)',
      'thứ (?:năm|5)',
      'thứ (?:sáu|6)',
      'thứ (?:bảy|bẩy|7)',
      'chủ nhật|cn',
    ],
    sum: 'cộng|cộng thêm|tôi và|tôi với|mình và|chúng tôi và',
  },
  zh: {
    negation: '不[是要行能去来來]|不|没有?|沒有?|非|别|別|而是|除了|取消',
    shift: `[之以]?[前后後](?!天)|(?:早|晚|提前|推迟|推遲|延后)(?:了?${hanNumber}(?:[个個]|小|分|天|日))|再过|再過`,
    shiftBefore: `[差欠](?:${hanNumber})[分刻][钟鐘]?`,
    units: hanDuration,
    between: '',
    fillers: '的|是|在|于|人|位|个|個|名|点钟|点|點|号|號|日|月',
    articles: '的|是',
    counting: '',
    weekdays: [...'一二三四五六']
      .map((day) => `(?:星期|礼拜|禮拜|周|週)${day}|[(（]${day}[)）]`)
      .concat('(?:星期|礼拜|禮拜|周|週)[日天]|[(（]日[)）]'),
    sum: '(?:我|我们|我們|咱)(?:和|跟|加上?|与|與)|加上?|外加|另加',
  },
};
