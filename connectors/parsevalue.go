package connectors

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxNesting bounds how deep lists and maps in a text may be nested; deeper ones are plain text.
const maxNesting = 500

// ParseValue reads a text, as headers have it, into the value and schema that it seems to be: null, true, numbers of the
// smallest type, dates, [lists] and {"maps":1}. Whatever is nothing of these is the text itself. AppendHeaderText is the
// reverse.
//
// It answers as Connect's Values.parseString, oddities included: what follows the first complete value at the top is
// ignored ("1,000" is 1), escapes stay in texts, and text of blanks between delimiters is lost.
func ParseValue(text string) SchemaAndValue {
	if text == "" || isPlain(text[0]) {
		return SchemaAndValue{StringSchema, text}
	}
	p := valueParser{text: text}
	v, err := p.parse(0)
	if err != nil { // only embedded values fail
		return SchemaAndValue{StringSchema, text}
	}
	return v
}

// isPlain reports whether a text that begins with c can be nothing but text.
func isPlain(c byte) bool {
	switch c {
	case '+', '-', '[', '{', 'n', 't', 'f':
		return false
	}
	return c > ' ' && c < utf8.RuneSelf && (c < '0' || c > '9')
}

// A valueParser splits a text into tokens: the delimiters and what is between them. A backslash takes a delimiter its meaning.
type valueParser struct {
	text string
	pos  int // after peeked
	// peeked is a token already read but not taken.
	peeked    string
	hasPeeked bool
}

var errEmbedded = errors.New("no value where one must be")

// parse reads a value. nesting counts the lists, maps and quotes around it. A null has no schema.
func (p *valueParser) parse(nesting int) (SchemaAndValue, error) {
	var none SchemaAndValue
	if !p.more() {
		return none, nil
	}
	if nesting > maxNesting {
		return none, errEmbedded
	}
	embedded := nesting > 0
	if embedded && p.take(`"`) {
		return p.quoted(), nil
	}
	switch {
	case p.literal("null", embedded):
		return none, nil
	case p.literal("true", embedded):
		return SchemaAndValue{BooleanSchema, true}, nil
	case p.literal("false", embedded):
		return SchemaAndValue{BooleanSchema, false}, nil
	}
	start := p.mark()
	v, found, err := p.container(nesting)
	if found && err == nil {
		return v, nil
	}
	if err != nil {
		p.rewind(start)
	}
	token := p.next()
	trimmed := trimBlanks(token)
	if trimmed == "" {
		return SchemaAndValue{StringSchema, token}, nil
	}
	if v, ok := p.scalar(trimmed); ok {
		return v, nil
	}
	if embedded {
		return none, errEmbedded
	}
	return SchemaAndValue{StringSchema, p.text}, nil
}

// quoted reads on to the closing quote. Only dates are recognised within quotes.
func (p *valueParser) quoted() SchemaAndValue {
	var content string
	var more strings.Builder // of a text of several tokens
	for p.more() && !p.take(`"`) {
		token := p.next()
		if content == "" {
			content = token
			continue
		}
		if more.Len() == 0 {
			more.WriteString(content)
		}
		more.WriteString(token)
	}
	if more.Len() > 0 {
		content = more.String()
	}
	if content != "" && !isPlain(content[0]) {
		inner := valueParser{text: content}
		if v, err := inner.parse(0); err == nil && v.Schema != nil && isTemporal(v.Schema) {
			return v
		}
	}
	return SchemaAndValue{StringSchema, content}
}

func isTemporal(s *Schema) bool {
	return s.Name == DateName || s.Name == TimeName || s.Name == TimestampName
}

// literal takes a word that is a value of its own: at the top nothing may follow it.
func (p *valueParser) literal(word string, embedded bool) bool {
	start := p.mark()
	if p.take(word) && (embedded || !p.more()) {
		return true
	}
	p.rewind(start)
	return false
}

// container reads a list or a map; found is false if there is none.
func (p *valueParser) container(nesting int) (v SchemaAndValue, found bool, err error) {
	switch {
	case p.take("["):
		v, err = p.list(nesting)
	case p.take("{"):
		v, err = p.mapping(nesting)
	default:
		return v, false, nil
	}
	return v, true, err
}

func (p *valueParser) list(nesting int) (SchemaAndValue, error) {
	items := []any{}
	var common *Schema
	for p.more() {
		if p.take("]") {
			return alignList(common, items)
		}
		if p.take(",") {
			return SchemaAndValue{}, errEmbedded
		}
		v, err := p.parse(nesting + 1)
		if err != nil {
			return SchemaAndValue{}, err
		}
		common = commonSchema(common, v.Schema)
		items = append(items, v.Value)
		before := p.mark()
		if p.take("]") {
			p.rewind(before)
		} else if !p.take(",") {
			return SchemaAndValue{}, errEmbedded
		}
	}
	return SchemaAndValue{}, errEmbedded
}

func alignList(common *Schema, items []any) (SchemaAndValue, error) {
	if common == nil {
		return SchemaAndValue{ArrayOf(nil), items}, nil
	}
	for i, item := range items {
		v, err := ConvertTo(common, nil, item)
		if err != nil {
			return SchemaAndValue{}, err
		}
		items[i] = v
	}
	return SchemaAndValue{ArrayOf(common), items}, nil
}

func (p *valueParser) mapping(nesting int) (SchemaAndValue, error) {
	m := new(Map)
	var keys, values *Schema
	for p.more() {
		if p.take("}") {
			return alignMap(keys, values, m)
		}
		if p.take(",") {
			return SchemaAndValue{}, errEmbedded
		}
		key, err := p.parse(nesting + 1)
		if err != nil {
			return SchemaAndValue{}, err
		}
		if key.Value == nil || !p.take(":") {
			return SchemaAndValue{}, errEmbedded
		}
		value, err := p.parse(nesting + 1)
		if err != nil {
			return SchemaAndValue{}, err
		}
		m.Put(key.Value, value.Value)
		p.take(",")
		keys = commonSchema(keys, key.Schema)
		values = commonSchema(values, value.Schema)
	}
	return SchemaAndValue{}, errEmbedded
}

func alignMap(keys, values *Schema, m *Map) (SchemaAndValue, error) {
	if keys == nil {
		return SchemaAndValue{MapOf(nil, nil), m}, nil
	}
	aligned := NewMap(m.Len())
	for k, v := range m.All() {
		k, err := ConvertTo(keys, nil, k)
		if err != nil {
			return SchemaAndValue{}, err
		}
		if values != nil {
			if v, err = ConvertTo(values, nil, v); err != nil {
				return SchemaAndValue{}, err
			}
		}
		aligned.Put(k, v)
	}
	return SchemaAndValue{MapOf(keys, values), aligned}, nil
}

// scalar reads a date or a number that begins with token, the token just taken without its blanks.
func (p *valueParser) scalar(token string) (SchemaAndValue, bool) {
	first, _ := utf8.DecodeRuneInString(token)
	if unicode.IsDigit(first) {
		// Colons split times and timestamps into five tokens.
		start := p.mark()
		if rest, ok := p.nextFour(); ok {
			if v, ok := parseTemporal(token + rest); ok {
				return v, true
			}
		}
		p.rewind(start)
		if v, ok := parseTemporal(token); ok {
			return v, true
		}
	} else if first != '+' && first != '-' {
		return SchemaAndValue{}, false
	}
	if len(token) <= 18 { // most numbers are whole and fit
		if n, err := strconv.ParseInt(token, 10, 64); err == nil {
			return smallestInt(n), true
		}
	}
	d, ok := ParseDecimal(token)
	if !ok {
		return SchemaAndValue{}, false
	}
	return smallest(d), true
}

// parseTemporal reads a time, date or timestamp in the forms that AppendHeaderText writes. Colons may be escaped.
func parseTemporal(token string) (SchemaAndValue, bool) {
	token = strings.ReplaceAll(token, `\:`, ":")
	format, schema := isoDate, DateSchema
	switch utf8.RuneCountInString(token) {
	case len("yyyy-MM-dd"):
	case len("HH:mm:ss.SSSZ"):
		format, schema = isoTime, TimeSchema
	case len("yyyy-MM-ddTHH:mm:ss.SSSZ"):
		format, schema = isoTimestamp, TimestampSchema
	default:
		return SchemaAndValue{}, false
	}
	ms, ok := format.Parse(token)
	return SchemaAndValue{schema, FromMillis(ms)}, ok
}

func (p *valueParser) more() bool { return p.hasPeeked || p.pos < len(p.text) }

func (p *valueParser) mark() int {
	if p.hasPeeked {
		return p.pos - len(p.peeked)
	}
	return p.pos
}

func (p *valueParser) rewind(pos int) { p.pos, p.hasPeeked, p.peeked = pos, false, "" }

func (p *valueParser) next() string {
	if p.hasPeeked {
		p.hasPeeked = false
		return p.peeked
	}
	return p.read()
}

// nextFour takes four tokens.
func (p *valueParser) nextFour() (string, bool) {
	start := p.mark()
	for range 4 {
		if !p.more() {
			return "", false
		}
		p.next()
	}
	return p.text[start:p.pos], true
}

// take takes the next token that is not blank if it is want.
func (p *valueParser) take(want string) bool {
	if !p.hasPeeked {
		if p.pos >= len(p.text) {
			return false
		}
		p.peeked, p.hasPeeked = p.read(), true
	}
	for trimBlanks(p.peeked) == "" && p.pos < len(p.text) {
		p.peeked = p.read()
	}
	if trimBlanks(p.peeked) != want {
		return false
	}
	p.hasPeeked = false
	return true
}

// read cuts the next token off the text.
func (p *valueParser) read() string {
	start := p.pos
	escaped := false
	for ; p.pos < len(p.text); p.pos++ {
		switch p.text[p.pos] {
		case '\\':
			escaped = !escaped
		case ':', ',', '{', '}', '[', ']', '"':
			if !escaped {
				if p.pos == start {
					p.pos++
				}
				return p.text[start:p.pos]
			}
			escaped = false
		default:
			escaped = false
		}
	}
	return p.text[start:p.pos]
}
