package docs

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// What a page shows of an OpenAPI document.
type (
	operation struct {
		Summary    string
		Tags       []string
		Parameters []struct {
			Name, In, Description string
			Schema                schema
		}
		RequestBody *struct{ Content content }
		Responses   map[string]struct{ Content content }
	}
	content map[string]struct{ Schema schema }
	schema  struct {
		Ref                  string `json:"$ref"`
		Type                 string
		Default              any
		Enum                 []string
		Items                *schema
		Properties           map[string]schema
		AdditionalProperties *schema
		AllOf, OneOf         []schema
		Required             []string
		Nullable             bool
	}
	document struct {
		Paths      map[string]map[string]operation
		Components struct{ Schemas map[string]schema }
	}
)

func restPage(api map[string]any) (string, error) {
	data, err := json.Marshal(api)
	if err != nil {
		return "", err
	}
	var doc document
	if err := json.Unmarshal(data, &doc); err != nil {
		return "", fmt.Errorf("the OpenAPI document: %w", err)
	}
	var b strings.Builder
	b.WriteString("# REST API\n\nErrors are `{\"error_code\": 404, \"message\": \"...\"}` with the same status. Bodies are `application/json`.\n\n" +
		"| Request | Body | Answer | What it does |\n|---|---|---|---|\n")
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for _, method := range []string{"get", "post", "put", "patch", "delete"} {
			op, ok := doc.Paths[path][method]
			if !ok {
				continue
			}
			what := op.Summary
			for _, p := range op.Parameters {
				if p.In == "query" {
					what += fmt.Sprintf("<br>`%s`: %s%s", p.Name, p.Description, p.Schema.choices())
				}
			}
			body := ""
			if op.RequestBody != nil {
				body = op.RequestBody.Content.String()
			}
			fmt.Fprintf(&b, "| `%s %s` | %s | %s | %s |\n", strings.ToUpper(method), path, body, op.answers(), what)
		}
	}
	b.WriteString("\n## Bodies\n")
	for _, name := range slices.Sorted(maps.Keys(doc.Components.Schemas)) {
		fmt.Fprintf(&b, "\n### %s\n\n| Member | Type |\n|---|---|\n", name)
		s := doc.Components.Schemas[name]
		for _, member := range slices.Sorted(maps.Keys(s.Properties)) {
			kind := s.Properties[member].String()
			if !slices.Contains(s.Required, member) {
				kind += ", may be absent"
			}
			fmt.Fprintf(&b, "| `%s` | %s |\n", member, kind)
		}
	}
	return b.String(), nil
}

func (op operation) answers() string {
	var list []string
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		if status == "default" {
			continue
		}
		text := status
		if body := op.Responses[status].Content.String(); body != "" && !strings.Contains(body, "#error)") {
			text += " " + body
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

func (c content) String() string {
	for _, media := range c { // there is one
		return media.Schema.String()
	}
	return ""
}

func (s schema) choices() string {
	switch {
	case s.Items != nil:
		return s.Items.choices()
	case len(s.Enum) > 0:
		return " (" + strings.Join(s.Enum, ", ") + ")"
	case s.Type == "boolean":
		return fmt.Sprintf(" (default %v)", s.Default)
	}
	return ""
}

func (s schema) String() string {
	text := "any"
	switch {
	case s.Ref != "":
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		text = fmt.Sprintf("[%s](#%s)", name, strings.ToLower(name))
	case len(s.AllOf) == 1:
		text = s.AllOf[0].String()
	case len(s.OneOf) > 0:
		var list []string
		for _, one := range s.OneOf {
			list = append(list, one.String())
		}
		text = strings.Join(list, " or ")
	case s.Items != nil:
		text = "list of " + s.Items.String()
	case s.AdditionalProperties != nil:
		text = "object of " + s.AdditionalProperties.String()
	case s.Type != "":
		text = s.Type
	}
	if s.Nullable {
		text += " or null"
	}
	return text
}
