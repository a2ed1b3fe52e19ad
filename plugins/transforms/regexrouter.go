package transforms

import (
	"context"

	"millrace/connectors"
	"millrace/plugins/javaregex"
)

var regexRouterConfig = connectors.NewConfigDef(
	connectors.ConfigKey{
		Name: "regex", Type: connectors.ConfigString, Required: true, Importance: connectors.High,
		Validator: connectors.Regex(javaregex.Check), Doc: "The pattern that a whole topic must match to be replaced.",
	},
	connectors.ConfigKey{
		Name: "replacement", Type: connectors.ConfigString, Required: true, Importance: connectors.High,
		Doc: "What the first match in the topic is replaced by; $1 stands for the pattern's first group.",
	},
)

// regexRouter is RegexRouter: it renames topics.
type regexRouter struct {
	noClose
	regex       *javaregex.Regexp
	replacement string
	// Most records have the topic of the one before.
	lastFrom, lastTo string
	known            bool
}

// Configure is part of connectors.Transform.
func (t *regexRouter) Configure(config map[string]string) error {
	values, err := regexRouterConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	t.replacement, t.known = values.String("replacement"), false
	t.regex, err = javaregex.Compile(values.String("regex"))
	return err
}

// Apply is part of connectors.Transform.
func (t *regexRouter) Apply(_ context.Context, r *connectors.Record) (bool, error) {
	if t.known && t.lastFrom == r.Topic {
		r.Topic = t.lastTo
		return true, nil
	}
	to := r.Topic
	if t.regex.MatchWhole(r.Topic) {
		var err error
		if to, err = t.regex.ReplaceFirst(r.Topic, t.replacement); err != nil {
			return true, &connectors.DataError{Msg: err.Error()}
		}
	}
	t.lastFrom, t.lastTo, t.known = r.Topic, to, true
	r.Topic = to
	return true, nil
}
