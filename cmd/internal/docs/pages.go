package docs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"millrace/broker"
	"millrace/connectors"
	"millrace/runtime"
)

// Definitions are what the pages are made from.
type Definitions struct {
	Plugins []*connectors.Plugin
	// Source and Sink are the keys that all connectors of a kind have.
	Source, Sink []*connectors.ConfigKey
	// Standalone and Distributed are the keys of worker files.
	Standalone, Distributed []*connectors.ConfigKey
	// Broker are the keys of the log.
	Broker []broker.DocumentedKey
	// API is the OpenAPI document of the REST API.
	API map[string]any
}

const notice = "<!-- Written by make docs from the definitions in the code; change those. -->\n\n"

// Pages returns the text of each page by its path within the folder of the pages.
func Pages(d Definitions) (map[string]string, error) {
	pages := map[string]string{
		"worker.md":         workerPage(d),
		"log.md":            logPage(d.Broker),
		"connectors/all.md": commonPage(d),
		"transforms.md":     pluginPage("Transforms", "Single message transforms, for `transforms.<alias>.type` of a connector.", d.Plugins, connectors.KindTransform),
		"predicates.md":     pluginPage("Predicates", "For `predicates.<alias>.type` of a connector; a transform names one with `transforms.<alias>.predicate`.", d.Plugins, connectors.KindPredicate),
		"converters.md":     pluginPage("Converters", "For `key.converter`, `value.converter` and `header.converter`; keys are written behind these names, as in `value.converter.schemas.enable`.", d.Plugins, connectors.KindConverter, connectors.KindHeaderConverter),
	}
	var err error
	if pages["rest.md"], err = restPage(d.API); err != nil {
		return nil, err
	}
	for _, p := range d.Plugins {
		if p.Kind == connectors.KindSource || p.Kind == connectors.KindSink {
			pages["connectors/"+simple(p.Class)+".md"] = connectorPage(p)
		}
	}
	pages["README.md"] = index(d.Plugins)
	for path, text := range pages {
		pages[path] = notice + strings.TrimRight(text, "\n") + "\n"
	}
	return pages, nil
}

// simple is the last part of a class name.
func simple(class string) string { return class[strings.LastIndexByte(class, '.')+1:] }

func index(plugins []*connectors.Plugin) string {
	var b strings.Builder
	b.WriteString("# Reference\n\n" +
		"- [For people who come from Kafka Connect](from-kafka-connect.md)\n" +
		"- [Worker configuration](worker.md), [configuration of the integrated log](log.md)\n" +
		"- [REST API](rest.md); a worker serves the same as OpenAPI at `/openapi.json`\n" +
		"- [Transforms](transforms.md), [predicates](predicates.md), [converters](converters.md)\n" +
		"- [Keys of all connectors](connectors/all.md)\n\n" +
		"| Connector | Kind |\n|---|---|\n")
	for _, p := range plugins {
		if p.Kind == connectors.KindSource || p.Kind == connectors.KindSink {
			fmt.Fprintf(&b, "| [%s](connectors/%[1]s.md) | %s |\n", simple(p.Class), p.Kind)
		}
	}
	return b.String()
}

func connectorPage(p *connectors.Plugin) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n`connector.class`: `%s`", simple(p.Class), p.Class)
	for _, alias := range p.Aliases {
		fmt.Fprintf(&b, ", `%s`", alias)
	}
	fmt.Fprintf(&b, ". A %s connector; it also has the [keys of all connectors](all.md).\n\n", p.Kind)
	table(&b, p.Config.Keys())
	return b.String()
}

func commonPage(d Definitions) string {
	var b strings.Builder
	b.WriteString("# Keys of all connectors\n\n## Sources and sinks\n\n")
	sink := names(d.Sink)
	source := names(d.Source)
	only := func(keys []*connectors.ConfigKey, in map[string]bool, wanted bool) []*connectors.ConfigKey {
		return slices.DeleteFunc(slices.Clone(keys), func(k *connectors.ConfigKey) bool { return in[k.Name] != wanted })
	}
	table(&b, only(d.Source, sink, true))
	b.WriteString("\n## Sources\n\n")
	table(&b, only(d.Source, sink, false))
	b.WriteString("\n## Sinks\n\n")
	table(&b, only(d.Sink, source, false))
	return b.String()
}

func names(keys []*connectors.ConfigKey) map[string]bool {
	set := make(map[string]bool)
	for _, k := range keys {
		set[k.Name] = true
	}
	return set
}

// pluginPage has one section a class; a class of two kinds has one.
func pluginPage(title, about string, plugins []*connectors.Plugin, kinds ...connectors.Kind) string {
	classes := make(map[string]*connectors.Plugin)
	for _, p := range plugins {
		if slices.Contains(kinds, p.Kind) && classes[p.Class] == nil {
			classes[p.Class] = p
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n", title, about)
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		fmt.Fprintf(&b, "\n## %s\n\n`%s`\n\n", simple(class), class)
		table(&b, classes[class].Config.Keys())
	}
	return b.String()
}

func workerPage(d Definitions) string {
	var b strings.Builder
	b.WriteString("# Worker configuration\n\nKeys of the file that `millrace standalone` takes, of `--set`, and of the environment (`CONNECT_OFFSET_FLUSH_INTERVAL_MS`). " +
		"Beside them, `producer.`, `consumer.` and `admin.` begin settings of connectors' clients; `listeners.https.` and `admin.listeners.https.` begin `ssl.` settings of " +
		"those listeners; `broker.` begins [keys of the integrated log](log.md).\n\n")
	table(&b, d.Standalone)
	alone := names(d.Standalone)
	b.WriteString("\n## Distributed workers\n\nThese are checked in worker files for a group of workers.\n\n")
	table(&b, slices.DeleteFunc(slices.Clone(d.Distributed), func(k *connectors.ConfigKey) bool { return alone[k.Name] }))
	return b.String()
}

func logPage(keys []broker.DocumentedKey) string {
	var b strings.Builder
	b.WriteString("# Configuration of the log\n\nKeys of Apache Kafka's `server.properties` that have an effect; its others are accepted. `millrace broker` takes them as they are, " +
		"`millrace standalone` behind `broker.`.\n\n| Key | Type | Default | Meaning |\n|---|---|---|---|\n")
	for _, k := range keys {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Name, k.Type, code(k.Default), cell(k.Doc))
	}
	return b.String()
}

// table writes keys; those that must be set come with "required" as their default.
func table(b *strings.Builder, keys []*connectors.ConfigKey) {
	if len(keys) == 0 {
		b.WriteString("It has no keys of its own.\n")
		return
	}
	b.WriteString("| Key | Type | Default | Meaning |\n|---|---|---|---|\n")
	for _, k := range keys {
		name := "`" + k.Name + "`"
		for _, alias := range k.Aliases {
			name += "<br>or `" + alias + "`"
		}
		byDefault := "required"
		if !k.Required {
			byDefault = ""
			if text := k.DefaultText(); text != nil && k.Type != connectors.ConfigPassword {
				byDefault = code(*text)
			}
		}
		meaning := cell(k.Doc)
		if k.Validator != nil {
			if rule := cell(k.Validator.String()); rule != "" && len(rule) < 200 {
				meaning += " *" + rule + "*"
			}
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", name, k.Type, byDefault, meaning)
	}
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + cell(text) + "`"
}

// cell makes text fit into a cell of a table.
func cell(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`).Replace(text)
}

// Keys returns what the REST API says of a plugin's keys as definitions, without those that the plugin itself has.
func Keys(infos []runtime.ConfigKeyInfo, own *connectors.ConfigDef) []*connectors.ConfigKey {
	var keys []*connectors.ConfigKey
	for _, i := range infos {
		if own.Lookup(i.Name) != nil {
			continue
		}
		k := &connectors.ConfigKey{Name: i.Name, Type: connectors.ConfigType(i.Type), Required: i.Required, Doc: i.Documentation}
		if i.DefaultValue != nil && i.Name != "connector.plugin.version" { // that of the connector which was asked
			k.Default = *i.DefaultValue
		}
		keys = append(keys, k)
	}
	return keys
}
