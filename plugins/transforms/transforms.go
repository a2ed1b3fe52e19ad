package transforms

import "millrace/connectors"

const packageName = "org.apache.kafka.connect.transforms."

// Plugins returns the descriptors of all transforms and predicates.
func Plugins() []connectors.Plugin {
	none := connectors.NewConfigDef()
	var plugins []connectors.Plugin
	transform := func(class string, config *connectors.ConfigDef, create func() connectors.Transform) {
		plugins = append(plugins, connectors.Plugin{
			Kind: connectors.KindTransform, Class: packageName + class, Version: connectors.KafkaVersion, Config: config,
			NewTransform: create,
		})
	}
	// sided adds the form for keys and the one for values.
	sided := func(class string, config *connectors.ConfigDef, create func(side) connectors.Transform) {
		transform(class+"$Key", config, func() connectors.Transform { return create(side{key: true}) })
		transform(class+"$Value", config, func() connectors.Transform { return create(side{}) })
	}
	predicate := func(class string, config *connectors.ConfigDef, create func() connectors.Predicate) {
		plugins = append(plugins, connectors.Plugin{
			Kind: connectors.KindPredicate, Class: packageName + "predicates." + class, Version: connectors.KafkaVersion, Config: config,
			NewPredicate: create,
		})
	}

	sided("Cast", castConfig, func(s side) connectors.Transform { return &cast{side: s} })
	transform("DropHeaders", dropHeadersConfig, func() connectors.Transform { return new(dropHeaders) })
	sided("ExtractField", extractFieldConfig, func(s side) connectors.Transform { return &extractField{side: s} })
	transform("Filter", none, func() connectors.Transform { return filter{} })
	sided("Flatten", flattenConfig, func(s side) connectors.Transform { return &flatten{side: s} })
	sided("HeaderFrom", headerFromConfig, func(s side) connectors.Transform { return &headerFrom{side: s} })
	sided("HoistField", hoistFieldConfig, func(s side) connectors.Transform { return &hoistField{side: s} })
	sided("InsertField", insertFieldConfig, func(s side) connectors.Transform { return &insertField{side: s} })
	transform("InsertHeader", insertHeaderConfig, func() connectors.Transform { return new(insertHeader) })
	sided("MaskField", maskFieldConfig, func(s side) connectors.Transform { return &maskField{side: s} })
	transform("RegexRouter", regexRouterConfig, func() connectors.Transform { return new(regexRouter) })
	sided("ReplaceField", replaceFieldConfig, func(s side) connectors.Transform { return &replaceField{side: s} })
	sided("SetSchemaMetadata", setSchemaMetadataConfig, func(s side) connectors.Transform { return &setSchemaMetadata{side: s} })
	sided("TimestampConverter", timestampConverterConfig, func(s side) connectors.Transform { return &timestampConverter{side: s} })
	transform("TimestampRouter", timestampRouterConfig, func() connectors.Transform { return new(timestampRouter) })
	transform("ValueToKey", valueToKeyConfig, func() connectors.Transform { return new(valueToKey) })

	predicate("HasHeaderKey", hasHeaderKeyConfig, func() connectors.Predicate { return new(hasHeaderKey) })
	predicate("RecordIsTombstone", none, func() connectors.Predicate { return recordIsTombstone{} })
	predicate("TopicNameMatches", topicNameMatchesConfig, func() connectors.Predicate { return new(topicNameMatches) })
	return plugins
}
