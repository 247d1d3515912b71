//! Writes what `#[entity]` turns an `impl` block into.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{
    Attribute, Error, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, LitStr, Meta, Receiver,
    ReceiverKind, ReturnType, Type, Visibility, spanned::Spanned,
};

use crate::{
    args::{EntityWords, operation_name},
    problems::Problems,
};

/// A method with `#[on]`.
struct Operation {
    method: Ident,
    visibility: Visibility,
    /// Where it is left out, so is the operation.
    conditions: Vec<Attribute>,
    name: LitStr,
    /// `None` without an input.
    input: Option<Type>,
    output: Option<Type>,
}

/// The block and what makes an entity of it, beside the errors that were found.
pub(crate) fn expand(words: TokenStream, item: &TokenStream) -> TokenStream {
    let mut block = match read_block(item) {
        Ok(block) => block,
        Err(errors) => return errors,
    };
    let mut problems = Problems::default();
    let ident = name_of_type(&block, &mut problems);
    let words = EntityWords::read(words, &ident, &mut problems);
    let mut operations = Vec::new();
    for item in &mut block.items {
        if let ImplItem::Fn(method) = item
            && let Some(on) = take_on(method)
        {
            operations.extend(read(method, &on, &mut problems));
        }
    }
    if operations.is_empty() && problems.is_empty() {
        let message = "an entity has at least one operation: write `#[on]` above a method";
        problems.at(&block.self_ty, message);
    }
    refuse_same_names(&operations, &mut problems);
    let errors = problems.to_compile_errors();
    let definition = problems
        .is_empty()
        .then(|| definition(&block, &words.name, &operations));
    quote!(#errors #block #definition)
}

/// Reads the annotated item, or says what to write instead, beside the item itself.
fn read_block(item: &TokenStream) -> Result<ItemImpl, TokenStream> {
    syn::parse2(item.clone()).map_err(|error| {
        let is_block = item.to_string().contains("impl ");
        let message = "`#[entity]` belongs on `impl` with the operations, such as `impl Cart`";
        let error = if is_block {
            error
        } else {
            Error::new_spanned(item, message)
        };
        let error = error.to_compile_error();
        quote!(#error #item)
    })
}

/// The last word of the type's path.
fn name_of_type(block: &ItemImpl, problems: &mut Problems) -> Ident {
    if let Some((path, _)) = &block.trait_ {
        let message = "`#[entity]` belongs on an `impl` of the type itself, not of a trait";
        problems.at(path, message);
    }
    if !block.generics.params.is_empty() {
        let message = "an entity cannot be generic: it is found by its name, which says nothing \
                       of types; write one for each type";
        problems.at(&block.generics, message);
    }
    if let Type::Path(path) = &*block.self_ty
        && let Some(last) = path.path.segments.last()
    {
        if !last.arguments.is_empty() && problems.is_empty() {
            let message = "an entity is found by its name, which says nothing of types; give this \
                           one a type of its own";
            problems.at(&last.arguments, message);
        }
        return last.ident.clone();
    }
    problems.at(&block.self_ty, "an entity is a struct or an enum");
    format_ident!("entity")
}

/// Takes `#[on]` away.
fn take_on(method: &mut ImplItemFn) -> Option<Attribute> {
    let place = method
        .attrs
        .iter()
        .position(|attribute| attribute.path().is_ident("on"))?;
    Some(method.attrs.remove(place))
}

/// Reads an operation; `None` after its errors were added.
fn read(method: &ImplItemFn, on: &Attribute, problems: &mut Problems) -> Option<Operation> {
    let mut found = Problems::default();
    let signature = &method.sig;
    let words = match &on.meta {
        Meta::Path(_) => TokenStream::new(),
        Meta::List(list) => list.tokens.clone(),
        Meta::NameValue(_) => {
            found.at(on, "write `#[on]`, or `#[on(name = \"put-in\")]`");
            TokenStream::new()
        }
    };
    let name = operation_name(words, &signature.ident, &mut found);
    if let Some(word) = &signature.asyncness {
        let message = "an operation is no `async fn`: it makes a new state of the old one and its \
                       input; do I/O in a step of a workflow, and hand in what came of it";
        found.at(word, message);
    }
    if !signature.generics.params.is_empty() {
        let message = "an operation cannot be generic: what is stored needs one type";
        found.at(&signature.generics, message);
    }
    let mut input = None;
    if signature.receiver().is_none() {
        let message = "an operation takes `&mut self`, or `&self` if it only reads";
        found.at(&signature.ident, message);
    }
    for argument in &signature.inputs {
        match argument {
            FnArg::Receiver(receiver) => check_receiver(receiver, &mut found),
            FnArg::Typed(argument) => read_input(&argument.ty, &mut input, &mut found),
        }
    }
    let output = match &signature.output {
        ReturnType::Default => None,
        ReturnType::Type(_, output) => Some((**output).clone()),
    };
    if let Some(Type::Reference(output)) = &output {
        let message = "what an operation returns is stored, so it is owned: return it without `&`";
        found.at(output, message);
    }
    let is_sound = found.is_empty();
    problems.absorb(found);
    let conditions = method.attrs.iter();
    let conditions = conditions.filter(|attribute| attribute.path().is_ident("cfg"));
    is_sound.then(|| Operation {
        method: signature.ident.clone(),
        visibility: method.vis.clone(),
        conditions: conditions.cloned().collect(),
        name,
        input,
        output,
    })
}

fn check_receiver(receiver: &Receiver, problems: &mut Problems) {
    if !matches!(receiver.kind, ReceiverKind::Reference(..)) {
        let message = "an operation takes `&mut self`, or `&self` if it only reads: the state \
                       lives on after it";
        problems.at(receiver, message);
    }
}

fn read_input(ty: &Type, input: &mut Option<Type>, problems: &mut Problems) {
    let last = |ty: &Type| match ty {
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
        _ => None,
    };
    let named = match ty {
        Type::Reference(borrowed) => last(&borrowed.elem),
        other => last(other),
    };
    let message = match (named.as_deref(), ty) {
        (Some("WorkflowCtx" | "StepCtx"), _) => {
            "an operation has no context: it makes a new state of the old one and its input; call \
             operations of the context in a workflow, and hand in what came of it"
        }
        (Some("State"), _) => {
            "an operation takes no `State<T>`: what it does must follow from what is stored; hand \
             in what it needs with the input"
        }
        (_, Type::Reference(_)) => {
            "the input is read from the store, so it is owned: take it without `&`"
        }
        (_, Type::ImplTrait(_)) => {
            "what is stored needs one type; name it in place of `impl Trait`"
        }
        _ if input.is_some() => {
            "there is one input; put both values into a struct that derives `Serialize`, \
             `Deserialize` and `JsonSchema`"
        }
        _ => {
            *input = Some(ty.clone());
            return;
        }
    };
    problems.at(ty, message);
}

/// Two operations of one name could not be told apart.
fn refuse_same_names(operations: &[Operation], problems: &mut Problems) {
    for (place, operation) in operations.iter().enumerate() {
        let mut earlier = operations.iter().take(place);
        // Where only one of them is compiled, that is fine.
        let is_same = |other: &Operation| {
            other.name.value() == operation.name.value()
                && other.conditions.is_empty()
                && operation.conditions.is_empty()
        };
        if earlier.any(is_same) {
            let message = "another operation of this entity has this name; give it another one, \
                           with `#[on(name = \"..\")]`";
            problems.at(&operation.name, message);
        }
    }
}

fn definition(block: &ItemImpl, name: &LitStr, operations: &[Operation]) -> TokenStream {
    let ty = &block.self_ty;
    // Where the block is left out, so is this.
    let conditions: Vec<_> = block
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .collect();
    let constants = operations.iter().map(|it| constant(ty, it));
    let entries = operations.iter().map(|it| entry(ty, it));
    quote! {
        #(#conditions)*
        impl #ty {
            #(#constants)*
        }
        #(#conditions)*
        impl ::axum_durable::__private::Entity for #ty {
            const NAME: &'static str = #name;

            fn operations() -> ::std::vec::Vec<::axum_durable::__private::EntityOperation> {
                ::std::vec![#(#entries),*]
            }
        }
        #(#conditions)*
        const _: () = {
            ::axum_durable::__private::inventory::submit! {
                ::axum_durable::__private::Registered::new(
                    || ::axum_durable::__private::Registration::from(
                        <#ty as ::axum_durable::__private::Entity>::entity()
                    )
                )
            }
        };
    }
}

/// `Cart::ADD` for `fn add`.
fn constant(ty: &Type, operation: &Operation) -> TokenStream {
    let Operation {
        method,
        visibility,
        conditions,
        name,
        ..
    } = operation;
    let text = method.to_string();
    let text = text.trim_start_matches("r#");
    let constant = Ident::new(&text.to_uppercase(), method.span());
    let docs = format!("The operation [`{text}`](Self::{text}).");
    let (input, output) = (input(operation), value(operation));
    quote! {
        #(#conditions)*
        #[doc = #docs]
        #visibility const #constant: ::axum_durable::EntityOp<#ty, #input, #output> =
            ::axum_durable::EntityOp::new(#name);
    }
}

/// What the table of operations says of one.
fn entry(ty: &Type, operation: &Operation) -> TokenStream {
    let Operation {
        method,
        conditions,
        name,
        ..
    } = operation;
    let (input, output) = (input(operation), value(operation));
    let argument = operation.input.as_ref().map(|_| quote!(__input));
    let call = quote!(<#ty>::#method(__entity, #argument));
    let result = if is_result(operation) {
        let span = located(&operation.output);
        let converted = quote_spanned!(span=> .map_err(|error| ::core::convert::Into::into(error)));
        quote!(#call #converted)
    } else {
        quote!(::core::result::Result::Ok(#call))
    };
    quote! {
        #(#conditions)*
        ::axum_durable::__private::define_operation::<#ty, #input, #output>(
            #name,
            |__entity, __input| #result,
        )
    }
}

fn input(operation: &Operation) -> TokenStream {
    let input = operation.input.as_ref();
    input.map_or_else(|| quote!(()), ToTokens::to_token_stream)
}

/// What a caller gets: the value of a `Result`, or what is returned.
fn value(operation: &Operation) -> TokenStream {
    let output = operation.output.as_ref();
    let output = output.map_or_else(|| quote!(()), ToTokens::to_token_stream);
    if is_result(operation) {
        let span = located(&operation.output);
        quote_spanned!(span=> <#output as ::axum_durable::__private::WorkflowOutcome>::Value)
    } else {
        output
    }
}

/// Whether it returns a `Result`, also one by another name, such as `io::Result` or `CartResult`.
fn is_result(operation: &Operation) -> bool {
    let Some(Type::Path(path)) = &operation.output else {
        return false;
    };
    let last = path.path.segments.last();
    last.is_some_and(|last| last.ident.to_string().ends_with("Result"))
}

/// The place of an author's token, with the names of this macro.
fn located(place: &impl Spanned) -> Span {
    Span::mixed_site().located_at(place.span())
}
