"""What the ONNX standard says of operators, as JSON: python test/ops/onnx-facts.py Add,Sub,… > test/fixtures/onnx-facts.json

For each operator its forms from opset 7 on: the opset that brought the form, operands, attributes, number of results.
"""

import json
import sys

from onnx import defs, helper

held = {
    "float": "float32",
    "double": "float64",
    **{name: name for name in "int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool".split()},
}
order = list(held.values())
oldest = 7


def element_types(schema, parameter):
    constraints = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    allowed = constraints.get(parameter.type_str, [parameter.type_str])
    names = [held.get(text.removeprefix("tensor(").removesuffix(")")) for text in allowed if text.startswith("tensor(")]
    return sorted({name for name in names if name is not None}, key=order.index)


def default_of(attribute):
    if not attribute.default_value.name:
        return None
    value = helper.get_attribute_value(attribute.default_value)
    if isinstance(value, list):
        return [item.decode() if isinstance(item, bytes) else item for item in value]
    return value.decode() if isinstance(value, bytes) else value


def form_of(schema):
    unbounded = 1 << 20
    return {
        "inputs": [f"{p.name} {p.type_str} {p.option.name}{'' if p.is_homogeneous else ' mixed'}" for p in schema.inputs],
        "attributes": {
            a.name: [a.type.name, "required" if a.required else default_of(a)]
            for a in sorted(schema.attributes.values(), key=lambda a: a.name)
        },
        "outputs": None if schema.max_output > unbounded else schema.max_output,
    }


def forms_of(schemas):
    """The forms that differ in more than element types, each with the opset that brought it."""
    forms = []
    for schema in schemas:
        form = form_of(schema)
        if not forms or forms[-1][1] != form:
            forms.append((schema.since_version, form))
    return [{"since": since, **form} for since, form in forms]


def all_types(schemas):
    """The element types of each operand, of any opset: later ones only took more."""
    types = {}
    for schema in schemas:
        for p in schema.inputs:
            types.setdefault(p.name, set()).update(element_types(schema, p))
    return {name: " ".join(sorted(found, key=order.index)) for name, found in types.items()}


facts = {}
for name in sorted(sys.argv[1].split(",")):
    history = [s for s in defs.get_all_schemas_with_history() if s.name == name and s.domain == ""]
    history.sort(key=lambda s: s.since_version)
    schemas = [
        schema
        for i, schema in enumerate(history)
        if i + 1 == len(history) or history[i + 1].since_version > oldest
    ]
    facts[name] = {"types": all_types(schemas), "forms": forms_of(schemas)}
print("{\n" + ",\n".join(f'  "{name}": {json.dumps(fact)}' for name, fact in facts.items()) + "\n}")
