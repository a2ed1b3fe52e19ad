package transforms

import (
	"millrace/connectors"
	"millrace/plugins/javaregex"
)

var hasHeaderKeyConfig = connectors.NewConfigDef(connectors.ConfigKey{
	Name: "name", Type: connectors.ConfigString, Required: true, Importance: connectors.Medium, Validator: connectors.NonEmpty(),
	Doc: "The name of the header.",
})

// hasHeaderKey is HasHeaderKey: true for records with a header of a name.
type hasHeaderKey struct {
	noClose
	name string
}

// Configure is part of connectors.Predicate.
func (p *hasHeaderKey) Configure(config map[string]string) error {
	values, err := hasHeaderKeyConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	p.name = values.String("name")
	return nil
}

// Test is part of connectors.Predicate.
func (p *hasHeaderKey) Test(r *connectors.Record) (bool, error) {
	_, ok := r.Headers.Last(p.name)
	return ok, nil
}

// recordIsTombstone is RecordIsTombstone: true for records with a null value.
type recordIsTombstone struct{ noClose }

// Configure is part of connectors.Predicate.
func (recordIsTombstone) Configure(map[string]string) error { return nil }

// Test is part of connectors.Predicate.
func (recordIsTombstone) Test(r *connectors.Record) (bool, error) { return r.Value == nil, nil }

var topicNameMatchesConfig = connectors.NewConfigDef(connectors.ConfigKey{
	Name: "pattern", Type: connectors.ConfigString, Required: true, Importance: connectors.Medium,
	Validator: connectors.AllOf(connectors.NonEmpty(), connectors.Regex(javaregex.Check)),
	Doc:       "The pattern that the whole topic must match.",
})

// topicNameMatches is TopicNameMatches: true for records whose topic matches a pattern.
type topicNameMatches struct {
	noClose
	regex *javaregex.Regexp
	// Most records have the topic of the one before.
	last    string
	matches bool
	known   bool
}

// Configure is part of connectors.Predicate.
func (p *topicNameMatches) Configure(config map[string]string) error {
	values, err := topicNameMatchesConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	p.known = false
	p.regex, err = javaregex.Compile(values.String("pattern"))
	return err
}

// Test is part of connectors.Predicate.
func (p *topicNameMatches) Test(r *connectors.Record) (bool, error) {
	if !p.known || p.last != r.Topic {
		p.last, p.matches, p.known = r.Topic, r.Topic != "" && p.regex.MatchWhole(r.Topic), true
	}
	return p.matches, nil
}
