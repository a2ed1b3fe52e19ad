package validation

import (
	"fmt"
	"slices"
	"strings"

	"millrace/connectors"
)

// A policy says which client settings connectors may override.
type policy struct {
	name  string
	allow func(key string) bool
}

// newPolicy finds a policy by its short name or Connect's class name.
func newPolicy(name string, allowlist []string) (policy, error) {
	short := strings.TrimPrefix(name, "org.apache.kafka.connect.connector.policy.")
	short = strings.TrimSuffix(short, "ConnectorClientConfigOverridePolicy")
	switch short {
	case "", "All":
		return policy{"All", func(string) bool { return true }}, nil
	case "None":
		return policy{"None", func(string) bool { return false }}, nil
	case "Principal":
		allowed := []string{"sasl.jaas.config", "sasl.mechanism", "security.protocol"}
		return policy{"Principal", func(key string) bool { return slices.Contains(allowed, key) }}, nil
	case "Allowlist":
		return policy{"Allowlist", func(key string) bool { return slices.Contains(allowlist, key) }}, nil
	}
	return policy{}, connectors.InvalidValue("connector.client.config.override.policy", name, "String must be one of: All, None, Principal, Allowlist")
}

// checkOverrides adds a block for each kind of client that the connector may use.
func (c *check) checkOverrides() {
	dlq := strings.TrimSpace(c.set[keyDLQ]) != ""
	if c.connector.Kind == connectors.KindSink {
		if dlq {
			c.checkClient("producer.override.", producerKeys())
		}
		c.checkClient("consumer.override.", consumerKeys())
		if dlq {
			c.checkClient("admin.override.", adminKeys())
		}
		return
	}
	c.checkClient("producer.override.", producerKeys())
	c.checkClient("consumer.override.", consumerKeys())
	c.checkClient("admin.override.", adminKeys())
}

// checkClient adds the overrides of one kind of client: only those that are there. A value that does not parse is an error of
// its key.
func (c *check) checkClient(prefix string, known *connectors.ConfigDef) {
	overrides := make(connectors.RawConfig)
	for name, value := range c.raw {
		if key, ok := strings.CutPrefix(name, prefix); ok && value != nil {
			overrides[key] = value
		}
	}
	if len(overrides) == 0 {
		return
	}
	b := c.result.block()
	b.countKeys = true
	for _, v := range known.Validate(overrides) {
		if overrides[v.Name] == nil {
			continue
		}
		k := *known.Lookup(v.Name)
		k.Name, v.Name = prefix+k.Name, prefix+v.Name
		b.defs = append(b.defs, &k)
		b.values[v.Name] = v
	}
	for key, text := range overrides {
		v := b.value(prefix + key)
		if known.Lookup(key) == nil {
			v.Value = *text
		}
		if !c.policy.allow(key) {
			v.AddError(fmt.Sprintf("The '%s' policy does not allow '%s' to be overridden in the connector configuration.", c.policy.name, key))
		}
	}
}
