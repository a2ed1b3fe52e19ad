package validation

import (
	"strings"

	"millrace/connectors"
)

// checkSource asks the connector about exactly-once delivery, if its configuration wants to know, as a worker with that support does.
func (c *check) checkSource(values map[string]*connectors.ConfigValue) {
	if v := values[keyExactlyOnce]; wants(v, "required") {
		if msg := c.exactlyOnceProblem(); msg != "" {
			v.AddError(msg)
		}
	}
	if v := values[keyBoundary]; wants(v, "connector") {
		if msg := c.boundaryProblem(); msg != "" {
			v.AddError(msg)
		}
	}
	c.checkTopicCreation(values)
}

func wants(v *connectors.ConfigValue, value string) bool {
	s, ok := v.Value.(string)
	return ok && len(v.Errors) == 0 && strings.EqualFold(s, value)
}

func (c *check) exactlyOnceProblem() string {
	const unknown = "The connector does not implement the API required for preflight validation of exactly-once source support. " +
		"Please consult the documentation for the connector to determine whether it supports exactly-once semantics, and then consider " +
		"reconfiguring the connector to use the value \"requested\" for this property (which will disable this preflight check and allow " +
		"the connector to be created)."
	supporter, ok := c.instance().(connectors.ExactlyOnceSupporter)
	if !ok {
		return unknown
	}
	support, err := supporter.ExactlyOnceSupport(c.set)
	switch {
	case err != nil:
		return "An unexpected error occurred trying to determine whether the connector supports exactly-once semantics with the provided configuration: " + err.Error()
	case support == connectors.ExactlyOnceUnknown:
		return unknown
	case support == connectors.ExactlyOnceUnsupported:
		return "The connector does not support exactly-once semantics with the provided configuration."
	}
	return ""
}

func (c *check) boundaryProblem() string {
	const unsupported = "The connector does not support connector-defined transaction boundaries with the given configuration. " +
		"Please reconfigure it to use a different transaction boundary definition."
	supporter, ok := c.instance().(connectors.TransactionBoundariesSupporter)
	if !ok {
		return unsupported
	}
	can, err := supporter.CanDefineTransactionBoundaries(c.set)
	switch {
	case err != nil:
		return "An unexpected error occurred trying to determine whether the connector can define its own transaction boundaries with the provided configuration: " + err.Error()
	case !can:
		return unsupported
	}
	return ""
}
