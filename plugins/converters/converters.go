package converters

import "millrace/connectors"

// Plugins returns the descriptors of all converters and header converters.
func Plugins() []connectors.Plugin {
	var plugins []connectors.Plugin
	add := func(class string, config *connectors.ConfigDef, create func() connectors.Converter) {
		plugins = append(plugins, connectors.Plugin{
			Kind: connectors.KindConverter, Class: class, Version: connectors.KafkaVersion, Config: config,
			NewConverter: create,
		}, connectors.Plugin{
			Kind: connectors.KindHeaderConverter, Class: class, Version: connectors.KafkaVersion, Config: config,
			NewHeaderConverter: func() connectors.HeaderConverter { return headers{create()} },
		})
	}
	add("org.apache.kafka.connect.json.JsonConverter", jsonConfig, func() connectors.Converter { return new(JSON) })
	add("org.apache.kafka.connect.storage.StringConverter", stringConfig, func() connectors.Converter { return new(String) })
	add("org.apache.kafka.connect.converters.ByteArrayConverter", typeConfig, func() connectors.Converter { return bytesConverter{} })
	for _, p := range primitives {
		add("org.apache.kafka.connect.converters."+p.class, typeConfig, func() connectors.Converter { return &primitive{kind: p} })
	}
	return append(plugins, connectors.Plugin{
		Kind: connectors.KindHeaderConverter, Class: "org.apache.kafka.connect.storage.SimpleHeaderConverter",
		Version: connectors.KafkaVersion, Config: connectors.NewConfigDef(),
		NewHeaderConverter: func() connectors.HeaderConverter { return new(SimpleHeader) },
	})
}

// headers makes a HeaderConverter of a Converter.
type headers struct{ converter connectors.Converter }

func (h headers) Configure(config map[string]string) error {
	return h.converter.Configure(config, false)
}

func (h headers) FromConnectHeader(topic, _ string, schema *connectors.Schema, value any) ([]byte, error) {
	return h.converter.FromConnect(topic, nil, schema, value)
}

func (h headers) ToConnectHeader(topic, _ string, data []byte) (connectors.SchemaAndValue, error) {
	return h.converter.ToConnect(topic, nil, data)
}

func (h headers) Close() error { return h.converter.Close() }

// typeKey is the key by which the runtime tells a converter what it converts. Converters do not look at it.
var typeKey = connectors.ConfigKey{
	Name: "converter.type", Type: connectors.ConfigString, Required: true, Importance: connectors.Low,
	Validator: connectors.In("key", "value", "header"),
	Doc:       "What the converter is used for: key, value or header. Set by the worker.",
}

var typeConfig = connectors.NewConfigDef(typeKey)

// parse parses the keys of def but for converter.type, which is known by the call and not in the configuration.
func parse(def *connectors.ConfigDef, config map[string]string) (connectors.Values, error) {
	raw := connectors.Raw(config)
	kind := "value"
	raw[typeKey.Name] = &kind
	return def.Parse(raw)
}
