import { readingCases } from '../../../test/support/reading-cases.js';
import { GoalMessage } from './goal-reading.js';
import { goalSlot } from './goal-template.js';
import type { Language } from './number-data.js';

/** A Tuesday. */
const today = { year: 2026, month: 11, day: 24 };
const asked = goalSlot.parse({ name: 'value', kind: 'number', prompt: '?' });
const read = (language: Language, content: string): string | number | undefined =>
  new GoalMessage(content, today, language).readSlots([asked], asked)['value'];

/** What is said and the number, or "-" if it is not read. */
const cases: Partial<Record<Language, string>> = {
  en: `
    twenty-one = 21 | one hundred and five = 105 | twenty one people = 21 |
    one hundred twenty = 120 | two thousand = - | two or three = - | two and a half = - |
    half a dozen = - | two dozen = - | two point five = - | twenty-first = - | minus three = - |
    1/2 = - | 2 1/2 = - | 2½ = - | 1 234,5 = - | 1,234.5 = 1234.5 | 1 234 = - | 5-10 = - |
    5 to 10 = - | 5 – 10 = - | 1e3 = - | -3 = -3 | −3 = -3 | - 3 = - | 3% = - | 3 percent = - |
    3 million = - | 00012 = 12 | 3rd = - | 31 April = - | five-star = - | we are 4 = 4 | 4. = 4 |
    4, thanks = 4 | 1,00,000 = - | 1.5 = 1.5 | .5 = - | 5 x 2 = - | 2+2 = - | between 2 and 4 = - |
    two hundred and fifty = 250 | nine hundred ninety-nine = 999 | a hundred = - |
    several hundred people = - | fifty = 50 | for two at 8 = 2 | two, maybe three = 2 | ٢٫٥ = 2.5 |
    3² = - | 10^3 = - | 3:2 = - | $5 = 5 | 12345678901234567890 = - | no more than 4 = 4 |
    about thirty-two = 32 | thirty - two = 32 | one hundred thousand = - | 4k = - | 4 k = - |
    2,5 = - | 2.500.000 = - | IV = - | 4/5/2027 = - | 5.12.2027 = - | 12:30 = - | 9 to 5 = - |
    table 4-6 = - | a couple = - | 4-ish = - | 4+ = - | 4 +1 = - | ~4 = - | >4 = - | zero = 0 |
    ninety nine = 99 | two hundred = 200 | one third = - | three quarters = - | two thirds = - |
    5 hundred = - | 2 pairs = 2 | 3 × 4 = - | ½ = - | 2⅔ = - | #4 = - | May 5 = - | 5th = - |
    2 to the 3 = - | two-and-a-half = - | one-and-twenty = - | 0x10 = - | 1_000 = - | +4 = - |
    (4) = 4 | "4" = 4 | 4! = 4 | for 2 at 7 = 2 | a table for two the day after tomorrow = 2 |
    not 7 = - | not 4, 5 = - | 4, not 5 = - | no, 7 = 7 | not for 4 = - | 4 adults 2 children = - |
    me plus 3 = - | me and 3 friends = - | 4 people at 7 = 4 | a table for 4 at 7 = 4 | 3k = - |
    3 mln = - | 3 bn = - | 3 mio = - | a few = - | 1⁄2 = - | 2 1⁄2 = - | 1⁄2 hour = - |
    not a party, 4 = 4 | 4 people, 12 May = 4 |
    4 plus me = - | me and my 3 kids = -`,
  fr: `
    quatre-vingt-dix = 90 | quatre vingt dix = 90 | vingt et un = 21 | vingt-et-un = 21 |
    soixante-dix = 70 | soixante et onze = 71 | quatre-vingts personnes = 80 | cent vingt = 120 |
    deux ou trois = - | deux et demi = - | septante-deux = - | nonante = - | une douzaine = - |
    deux cents = 200 | deux mille = - | 1 234,5 = 1234.5 | 1'234,5 = 1234.5 | 1.234,5 = 1234.5 |
    de 2 à 4 = - | deux virgule cinq = - | nous sommes quatre = 4 | quatre-vingt-six = 86 |
    2e = - | trois semaines = 3 | mille deux cents = - | cent-vingt-et-un = 121 |
    deux cent un = 201 | trois quarts = - | moins trois = - | deux à quatre = - |
    entre deux et quatre = - | 2 ou 3 = - | 2,5 = 2.5 | 2.5 = - | vingtaine = - |
    quatre-vingt = 80 | quatre-vingts-dix = 90 | 31 avril = - | cinq pour cent = - |
    table pour deux à la fenêtre = 2 | une table pour six = 6 |
    pas 4, 5 = - | une paire = - | quelques = - | une paire de places = - | 4 adultes 2 enfants = - |
    moi et 3 amis = - | 3 mln = - | non, 4 = 4 | 4 non, 5 = - | ½ = -`,
  es: `
    treinta y dos = 32 | treinta y una = 31 | veintiuna = 21 | veintidós = 22 | dieciséis = 16 |
    ciento cinco = 105 | doscientas = 200 | dos mil = - | dos y medio = - | dos o tres = - |
    media docena = - | somos tres = 3 | cien = 100 | mil = - | ten cuidado = - | treinta = 30 |
    treinta-y-dos = 32 | un millón = - | ciento veintiuno = 121 | menos tres = - |
    dos coma cinco = - | de 2 a 4 = - | dos tercios = - | un par = - | cincuenta y cinco mil = - |
    1.234,5 = 1234.5 | 31 de abril = - | mesa para cuatro a las ocho = 4 |
    no 4, 5 = - | no somos 4 = - | un par de personas = - | 3 millones = - | 3 mill = - |
    cuatro adultos dos niños = - | yo y 3 amigos = - | no, 4 = 4`,
  de: `
    einundzwanzig = 21 | zweihundertfünf = 205 | zwei hundert = 200 | fünfunddreissig = 35 |
    fuenf = 5 | dreißig = 30 | zweitausend = - | zwei tausend = - | zwei bis drei = - |
    zweieinhalb = - | zwei und halb = - | anderthalb = - | 1.234,5 = 1234.5 | 1'234 = 1234 |
    1’234,5 = 1234.5 | 1\u00a0234 = 1234 | 1 234 = - | 1,5 = 1.5 | 1.5 = - | 12.5. = - |
    ein Dutzend = - | hundert = - | hunderteins = - | ein und zwanzig = 21 |
    wir sind zu viert = - | hundertfünf = - | dreiundzwanzigtausend = - | minus drei = - |
    drei Komma fünf = - | zwei Drittel = - | dreiviertel = - | 3½ = - | halb acht = - |
    dritter = - | zwei- bis dreimal = - | fünf Prozent = - | 31. April = - |
    Tisch für zwei am Fenster = 2 | Tisch für 4 um 7 = 4 |
    nicht 4, 5 = - | nicht vier sondern fünf = - | ein paar = - | ein paar Leute = - | 3 Mio = - |
    3 Mio. = - | 3 Mrd = - | 3 Tsd = - | 4 Erwachsene 2 Kinder = - | ich und 3 Freunde = - |
    nein, 4 = 4 | mit 4 Personen = 4`,
  it: `
    ventuno = 21 | ventun persone = 21 | trentatré = 33 | centocinque = 105 | duecento = 200 |
    duemila = - | due o tre = - | mezza dozzina = - | siamo in sei = 6 | cento venti = 120 |
    ventidue = 22 | ottantotto = 88 | due virgola cinque = - | due milioni = - | meno tre = - |
    due e mezzo = - | 1'234,5 = 1234.5 | un tavolo per due = 2 |
    non 4, 5 = - | un paio = - | 4 adulti 2 bambini = - | io e 3 amici = - | 3 mln = - | no, 4 = 4`,
  nl: `
    eenentwintig = 21 | tweeëntwintig = 22 | honderd vijf = 105 | twee honderd = 200 |
    tweeduizend = - | twee of drie = - | tweeënhalf = - | anderhalf = - | ten minste vier = 4 |
    honderdenvijf = - | twee komma vijf = - | vijf en twintig = 25 | drie miljoen = - |
    min drie = - | tafel voor twee = 2 |
    niet 4, 5 = - | een paar = - | een paar mensen = - | 3 mld = - | 4 volwassenen 2 kinderen = - |
    ik en 3 vrienden = - | nee, 4 = 4`,
  pt: `
    vinte e dois = 22 | vinte e duas = 22 | dezesseis = 16 | cento e cinco = 105 | dois mil = - |
    dois e meio = - | duas ou três = - | meia dúzia = - | cento e vinte e um = 121 |
    dois vírgula cinco = - | dois milhões = - | menos três = - | um terço = - |
    quarenta e dois mil = - | 31 de abril = - | mesa para duas pessoas = 2 |
    não 4, 5 = - | um par = - | 4 adultos 2 crianças = - | eu e 3 amigos = - | 3 milhões = - |
    não, 4 = 4`,
  sv: `
    tjugoett = 21 | tjugoen = 21 | tjugo ett = 21 | trettiofem = 35 | hundrafem = 105 |
    tvåhundra = 200 | två tusen = - | två eller tre = - | en halv = - | två och en halv = - |
    tvåhundratjugoett = 221 | två komma fem = - | två tredjedelar = - | tvåtusen = - |
    minus tre = - | bord för två = 2 |
    inte 4, 5 = - | ett par = - | 4 vuxna 2 barn = - | jag och 3 vänner = - | nej, 4 = 4`,
  fi: `
    kaksikymmentäyksi = 21 | kaksikymmentä yksi = 21 | sataviisi = 105 | kaksisataa = 200 |
    kaksituhatta = - | kaksi tai kolme = - | kaksi ja puoli = - | puolitoista = - | kahdelle = 2 |
    kaksi pilkku viisi = - | kolmesataa = 300 | kaksituhatta viisi = - | kaksi kolmasosaa = - |
    kahdenkymmenen = - | miinus kolme = - | pöytä neljälle = 4 |
    ei 4, 5 = - | pari = - | 4 aikuista 2 lasta = -`,
  ru: `
    двадцать один = 21 | сорок два = 42 | двадцати пяти = - | сто пять = 105 | двести = 200 |
    две тысячи = - | два или три = - | два с половиной = - | полтора = - | двадцать первое = - |
    тридцать одна = 31 | столик на двоих = 2 | пятьдесят = 50 | 1 234,5 = 1234.5 |
    две целых пять десятых = - | минус три = - | сорока двух = - | сто двадцать один = 121 |
    двум тысячам = - | две трети = - | пятеро = 5 | ста пяти = - | пятидесяти двух = - |
    тремя = - | двадцатью пятью = - | 31 апреля = - | стол на четверых = 4 |
    не 4, 5 = - | пара = - | 3 млн = - | 3 тыс = - | 4 взрослых 2 детей = - | я и 3 друга = - |
    нет, 4 = 4 | плюс 3 = -`,
  uk: `
    двадцять один = 21 | шістнадцять = 16 | п’ятнадцять = 15 | сорок п'ять = 45 | двісті = 200 |
    дві тисячі = - | два з половиною = - | дві або три = - | двадцяти п'яти = - | сорока двох = - |
    п'ятдесят два = 52 | мінус три = - | півтора = - | столик на чотирьох = 4 |
    не 4, 5 = - | 3 млн = - | 4 дорослих 2 дітей = - | ні, 4 = 4`,
  vi: `
    hai mươi mốt = 21 | hai mươi lăm = 25 | mười hai = 12 | một trăm lẻ năm = 105 |
    hai trăm = 200 | hai nghìn = - | một trăm hai = - | hai rưỡi = - | hai hoặc ba = - |
    hai ba người = - | sau đó = - | tên tôi = - | bốn người = 4 | hai mốt = - | hai phẩy năm = - |
    âm ba = - | hai mươi tư = 24 | hai chục = - | một triệu = - | trăm lẻ năm = - |
    hai phần ba = - | 1.234,5 = 1234.5 | bàn cho hai người = 2 |
    không phải 4, 5 = - | vài người = - | 4 người lớn 2 trẻ em = - |
    ngày 5 tháng 12 = -`,
  id: `
    dua puluh satu = 21 | seratus lima = 105 | dua belas = 12 | sebelas = 11 | dua ribu = - |
    dua atau tiga = - | dua setengah = - | untuk empat orang = 4 | dua koma lima = - |
    minus tiga = - | dua pertiga = - | seratus dua puluh satu = 121 | dua juta = - |
    dua sampai empat = - | meja untuk dua orang = 2 |
    bukan 4, 5 = - | beberapa = - | 3 jt = - | 4 dewasa 2 anak = - | saya dan 3 teman = -`,
  ar: `
    واحد وعشرون = 21 | واحد وعشرين = 21 | خمسة وثلاثون = 35 | مئة وخمسة = 105 | اثنان ونصف = - |
    ألف = - | اثنان أو ثلاثة = - | ٢٫٥ = 2.5 | ١٬٢٣٤٫٥ = 1234.5 | ٣ = 3 | ثلاثة آلاف = - |
    ثلاثة = 3 | ست عشرة = 16 | ٣٪ = - | خمسة وعشرون ألف = - | ناقص ثلاثة = - | ثلث = - |
    ثلاثة فاصلة خمسة = - | من ٢ إلى ٤ = - | ٥-١٠ = - | ١/٢ = - | مئتان وخمسون = 250 |
    احد عشر = 11 | اثنا عشر = 12 | نحن أربعة = 4 |
    ليس 4، 5 = - | 4 بالغين 2 اطفال = -`,
  ja: `
    二十一 = 21 | 百五 = 105 | 百二十人 = 120 | 3万人 = - | 二、三人 = - | 2〜3人 = - | ２１人 = 21 | 三人半 = - |
    3分の1 = - | 第三 = - | 二千人 = - | 5月 = - | ３人 = 3 | 二人です = 2 | 千二百 = - | 二十五 = 25 | 2.5 = 2.5 |
    二〇 = - | 1,234 = 1234 | 2,3人 = - | 五割 = - | 5% = - | マイナス3 = - | 二か三 = - | 三十五名 = 35 |
    四人です = 4 |
    4人ではなく5人 = - | 4人じゃない = - | いいえ、4人 = 4 | 廿人 = - | 廿三人 = - | 卅 = - | 大人4人子供2人 = - | 私と3人 = - |
    1⁄2 = - | ½ = - | 午後7時に4人 = 4`,
  zh: `
    二十一 = 21 | 一百零五 = 105 | 一百二十 = 120 | 一百二 = - | 两个人 = 2 | 两三个人 = - | 三个半 = - | 三分之一 = - |
    十几个 = - | 两百 = 200 | 一百十五个 = 115 | 二点五 = - | 五到六个人 = - | 十二个 = 12 | 九十九 = 99 | 3千 = - |
    百分之三 = - | 一千二百 = - | 二十五个 = 25 | 负三 = - | 三十多个 = - | 五折 = - | 2万 = - | 三四十个 = - | 1/2 = - |
    三点五个 = - | 第二个 = - | 两千 = - | 三百零五 = 305 | 我们四个人 = 4 |
    不是4，是5 = - | 不是四个,五个 = - | 廿 = - | 廿三个 = - | 卅人 = - | 4个大人2个孩子 = - | 我和3个朋友 = - | 不,4个人 = 4 |
    ½ = - |
    周五 = - | 星期六 = -`,
};

describe('numbers are read completely or not at all', () => {
  it.each(readingCases(cases))('in %s: %s = %s', (language, content, expected) => {
    expect(String(read(language, content) ?? '-')).toBe(expected);
  });

  it.each(['1 234,5', '1\u00a0234,5', '1\u202f234,5', '1\u2009234,5', "1'234,5", '1’234,5', '1.234,5'])(
    'in French with groups of thousands: %j',
    (content) => {
      expect(read('fr', content)).toBe(1234.5);
    },
  );

  it('not on both sides of a line break', () => {
    expect(read('en', '4\n5')).toBe(4);
  });

  it('from two numbers only if there are two slots for them', () => {
    const other = { ...asked, name: 'other' };
    const message = new GoalMessage('4 adults and 2 children', today);
    expect(message.readSlots([asked])).toEqual({});
    expect(message.readSlots([asked, other])).toEqual({ value: 4, other: 2 });
  });

  it('without a number that belongs to a date or time, unless it was asked for', () => {
    for (const content of ['in 3 weeks', "at 7 o'clock", '31 April', 'friday 13', 'friday the 13'])
      expect(new GoalMessage(content, today).readSlots([asked])).toEqual({});
    expect(read('en', '3 weeks')).toBe(3);
  });
});
