/* What is guessed first is what is cheap to say: an everyday word, a year, a row of the keyboard, something once more. A password is cut into
 * such pieces in the cheapest way, and is common when all of it costs too little. Guessing lists are made in the same manner, so none is kept. */
#include "auth/password.h"

#include "base/secret.h"
#include "base/utf8.h"

/* Costs are tenths of bits: how many guesses somebody needs who knows these rules. */
enum {
	COST_WORD = 80,	  /* one of some two hundred */
	COST_LEET = 10,	  /* and spelt with digits or signs */
	COST_WALK = 60,	  /* a row or part of one, either way */
	COST_YEAR = 60,
	COST_AGAIN = 10,  /* what stands right before */
	COST_LETTER = 47, /* one of 26 */
	COST_DIGIT = 33,
	COST_SIGN = 40,
	COST_OTHER = 60, /* letters beyond ASCII, per octet */
	COST_LEAST = 380
};
#define WALK_LEAST  4
#define AGAIN_MOST  16
#define FRONT_MOST  64
#define NAME_LEAST  4
#define ALONE_LEAST 4 /* of a word that makes a password common by itself: two letters between many signs say nothing */

/* Letters of leet: each word is tried with them. In lower case, ASCII. */
static const char *const words[] = {
	/* what people call it */
	"password", "passwort", "passwd", "passphrase", "wachtwoord", "wachtzin", "geheim", "geheimpje", "secret", "topsecret", "login",
	"inloggen", "toegang", "access", "welkom", "welkomterug", "welcome", "welcomeback", "letmein", "laatmeerin", "opensesame",
	"sesam", "hallo", "hello", "hoi", "dag", "qwerty", "azerty", "changeme", "change", "verander", "wijzig", "wijzigmij", "nieuw",
	"new", "oud", "tijdelijk", "temp", "temporary", "default", "standaard", "standard", "test", "testing", "testen", "proef",
	"admin", "administrator", "beheer", "beheerder", "root", "user", "gebruiker", "guest", "gast", "system", "systeem", "server",
	"computer", "internet",
	/* what is at hand */
	"sluis", "netscaler", "citrix", "gateway", "portal", "portaal", "office", "kantoor", "windows", "microsoft", "google", "linux",
	"debian", "ubuntu", "apple", "iphone", "samsung", "android", "facebook", "outlook", "teams", "company", "bedrijf", "werk",
	"work", "thuis", "home", "thuiswerk", "ziekenhuis", "hospital", "zorg", "school", "gemeente",
	/* times */
	"lente", "voorjaar", "zomer", "herfst", "najaar", "winter", "spring", "summer", "autumn", "fall", "januari", "februari", "maart",
	"april", "mei", "juni", "juli", "augustus", "september", "oktober", "november", "december", "january", "february", "march",
	"may", "june", "july", "august", "october", "maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag",
	"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "kerst", "kerstmis", "christmas", "vakantie",
	"holiday",
	/* places and clubs */
	"nederland", "holland", "netherlands", "belgie", "amsterdam", "rotterdam", "denhaag", "utrecht", "eindhoven", "groningen",
	"tilburg", "almere", "breda", "nijmegen", "arnhem", "haarlem", "enschede", "zwolle", "leiden", "maastricht", "delft",
	"leeuwarden", "antwerpen", "brussel", "gent", "london", "paris", "berlin", "newyork", "ajax", "feyenoord", "psv", "liverpool",
	"chelsea", "arsenal", "barcelona",
	/* what is dear */
	"love", "liefde", "iloveyou", "ikhouvanjou", "schatje", "lieverd", "liefje", "princess", "prinses", "sunshine", "zonnetje",
	"monkey", "aapje", "dragon", "draak", "football", "voetbal", "baseball", "master", "superman", "batman", "pokemon", "starwars",
	"shadow", "hond", "hondje", "poes", "poesje", "kat", "dog", "cat", "paard", "vlinder", "butterfly", "bloem", "flower",
	"chocolade", "chocolate", "cookie", "koekje", "bier", "familie", "family", "mama", "papa", "oma", "opa", "freedom", "vrijheid",
	"trustno", "whatever", "geluk", "mijn", "my", "the", "het", "een", "ik", "ben", "is", "van",
};

static const char *const walks[] = {
	"01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./", "azertyuiop", "qsdfghjklm",
	"wxcvbn", "qwertzuiop", "!@#$%^&*()_+", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/", "!qaz@wsx#edc$rfv%tgb^yhn&ujm*ik<(ol>)p:?",
	"qazwsxedcrfvtgbyhnujmikolp", "1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0", "qwerasdfzxcv", "1234qwerasdfzxcv", "741852963",
	"147258369", "159753", "a1b2c3d4e5f6g7h8i9j0", "1a2b3c4d5e6f7g8h9i0j", "zaqxswcdevfrbgtnhymju",
};

/* Characters, or false: a control character (C0, DEL, C1) or no UTF-8. */
static bool count_characters(struct bytes b, size_t *out)
{
	size_t count = 0;

	while (b.len) {
		size_t n = utf8_len(b);
		if (n == 0 || b.at[0] < 0x20 || b.at[0] == 0x7f || (b.at[0] == 0xc2 && b.at[1] < 0xa0))
			return false;
		b = bytes_cut(b, n, b.len);
		count++;
	}
	*out = count;
	return true;
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(unsigned char c)
{
	return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

static bool is_leet(unsigned char sign, unsigned char letter)
{
	static const char pairs[] = "0o1i1l!i!l|l|i3e4a@a5s$s7t+t8b6g9g2z(c";

	for (size_t i = 0; i + 1 < sizeof pairs; i += 2)
		if ((unsigned char)pairs[i] == sign && (unsigned char)pairs[i + 1] == letter)
			return true;
	return false;
}

/* Whether b begins with the word; *cost what that is worth. */
static bool begins(struct bytes b, const char *word, unsigned *cost)
{
	size_t n = strlen(word);
	bool has_leet = false;

	if (n > b.len)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (b.at[i] == (unsigned char)word[i])
			continue;
		if (!is_leet(b.at[i], (unsigned char)word[i]))
			return false;
		has_leet = true;
	}
	*cost = COST_WORD + (has_leet ? COST_LEET : 0);
	return true;
}

/* How many octets at the front of b follow one another in row, in that order or backwards. */
static size_t walked(struct bytes b, struct bytes row)
{
	size_t best = 0;

	for (size_t i = 0; i < row.len; i++) {
		size_t on = 0, back = 0;
		while (on < b.len && i + on < row.len && b.at[on] == row.at[i + on])
			on++;
		while (back < b.len && back <= i && b.at[back] == row.at[i - back])
			back++;
		best = on > best ? on : best;
		best = back > best ? back : best;
	}
	return best;
}

static unsigned single(unsigned char c)
{
	return is_letter(c) ? COST_LETTER : is_digit(c) ? COST_DIGIT : c < 0x80 ? COST_SIGN : COST_OTHER;
}

static void offer(unsigned *cost, unsigned what)
{
	if (what < *cost)
		*cost = what;
}

/* From octet i on, whose own cost is known, to each octet that one piece reaches. */
static void step(struct bytes b, size_t i, unsigned cost[])
{
	struct bytes left = bytes_cut(b, i, b.len);
	unsigned word;

	offer(&cost[i + 1], cost[i] + single(b.at[i]));
	for (size_t w = 0; w < COUNT_OF(words); w++)
		if (begins(left, words[w], &word))
			offer(&cost[i + strlen(words[w])], cost[i] + word);
	for (size_t w = 0; w < COUNT_OF(walks); w++)
		for (size_t n = walked(left, bytes_str(walks[w])); n >= WALK_LEAST; n--)
			offer(&cost[i + n], cost[i] + COST_WALK);
	if (left.len >= 4 && (bytes_starts(left, BYTES("19")) || bytes_starts(left, BYTES("20"))) && is_digit(left.at[2]) && is_digit(left.at[3]))
		offer(&cost[i + 4], cost[i] + COST_YEAR);
	for (size_t n = 1; n <= i && n <= AGAIN_MOST; n++)
		if (bytes_starts(left, bytes_cut(b, i - n, i)))
			offer(&cost[i + n], cost[i] + COST_AGAIN);
}

/* The word alone, whatever digits and signs stand before and behind it: people count on when they must change it. */
static bool is_decorated_word(struct bytes b)
{
	size_t from = 0, to = b.len;
	unsigned cost;

	while (from < b.len && !is_letter(b.at[from]))
		from++;
	while (to > from && !is_letter(b.at[to - 1]))
		to--;
	if (from == b.len)
		return false;
	/* What stands before or behind may belong to it: "welc0m3", "4dmin". */
	for (size_t i = 0; i <= from && i < b.len; i++)
		for (size_t w = 0; w < COUNT_OF(words); w++) {
			size_t end = i + strlen(words[w]);
			if (end - i >= ALONE_LEAST && end >= to && begins(bytes_cut(b, i, b.len), words[w], &cost))
				return true;
		}
	return false;
}

static bool is_common(struct bytes password)
{
	unsigned char lower[PASSWORD_MOST];
	unsigned cost[PASSWORD_MOST + 1];
	struct bytes b = bytes_of(lower, password.len);
	bool is_cheap;

	if (password.len > FRONT_MOST) /* only something many times over can be cheap: its front tells */
		b.len = FRONT_MOST;
	for (size_t i = 0; i < b.len; i++)
		lower[i] = ascii_lower(password.at[i]);
	for (size_t i = 0; i <= b.len; i++)
		cost[i] = i ? UINT32_MAX : 0;
	for (size_t i = 0; i < b.len; i++)
		step(b, i, cost);
	is_cheap = cost[b.len] < COST_LEAST || is_decorated_word(b);
	secret_wipe(lower, sizeof lower);
	return is_cheap;
}

/* The user's name, or a part of it that dots and the like set off, in the password in any case. */
static bool has_name(struct bytes password, struct bytes user)
{
	struct bytes name = bytes_cut(user, 0, bytes_find_byte(user, '@'));
	size_t from = 0;

	for (size_t i = 0; i <= name.len; i++) {
		struct bytes part = bytes_cut(name, from, i);
		if (i < name.len && (is_letter(name.at[i]) || is_digit(name.at[i]) || name.at[i] >= 0x80))
			continue;
		from = i + 1;
		if (part.len < NAME_LEAST)
			continue;
		for (size_t at = 0; at + part.len <= password.len; at++)
			if (bytes_eq_nocase(bytes_cut(password, at, at + part.len), part))
				return true;
	}
	return false;
}

const char *password_refusal(struct bytes password, struct bytes user)
{
	size_t count;

	if (password.len > PASSWORD_MOST)
		return "too_long";
	if (!count_characters(password, &count))
		return "characters";
	if (count < PASSWORD_LEAST)
		return "too_short";
	if (has_name(password, user))
		return "name";
	return is_common(password) ? "common" : NULL;
}
