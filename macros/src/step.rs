//! Writes what `#[step]` turns a function into.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{ItemFn, LitStr};

use crate::{
    args::StepWords,
    emit,
    problems::Problems,
    signature::{Argument, Kind, Shape},
};

/// The function that returns the definition, beside the errors that were found.
pub(crate) fn expand(words: TokenStream, item: &TokenStream) -> TokenStream {
    let function = match emit::read_function(item, "step") {
        Ok(function) => function,
        Err(errors) => return errors,
    };
    let mut problems = Problems::default();
    let words = StepWords::read(words, &function.sig.ident, &mut problems);
    let shape = Shape::read(&function, Kind::Step, &mut problems);
    let errors = problems.to_compile_errors();
    let definition = shape.map_or_else(
        || quote!(#function),
        |shape| definition(&function, &shape, &words),
    );
    quote!(#errors #definition)
}

fn definition(function: &ItemFn, shape: &Shape, words: &StepWords) -> TokenStream {
    let (head, body, submit) = (
        emit::head(function),
        emit::body(function),
        emit::submit(function),
    );
    let (value, converted) = (emit::value(shape), emit::converted(shape));
    let StepWords {
        name,
        attempts,
        backoff,
        timeout,
    } = words;
    let (backoff, timeout) = (optional(backoff.as_ref()), optional(timeout.as_ref()));
    let (input, needs, call) = (&shape.input, shape.needs(), call(function, shape));
    quote! {
        #head -> ::axum_durable::Step<#input, #value> {
            #body
            const __NEEDS: &[::axum_durable::__private::StateNeed] = #needs;
            ::axum_durable::__private::define_step::<#input, #value>(
                #name,
                |__input, __states, __step| {
                    ::std::boxed::Box::pin(async move { #call.await #converted })
                },
            )
            .with_policy(
                ::axum_durable::__private::StepPolicy::from_words(#attempts, #backoff, #timeout)
            )
            .with_needs(__NEEDS)
        }
        #submit
    }
}

fn optional(text: Option<&LitStr>) -> TokenStream {
    text.map_or_else(
        || quote!(::core::option::Option::None),
        |text| quote!(::core::option::Option::Some(#text)),
    )
}

/// The call of the author's function from `__input`, `__states` and `__step`.
fn call(function: &ItemFn, shape: &Shape) -> TokenStream {
    let arguments = shape.arguments.iter().map(|argument| match argument {
        Argument::Input => quote!(__input),
        Argument::State(ty) => {
            quote!(<#ty as ::axum_durable::__private::Inject>::inject(&__states)?)
        }
        Argument::StepCtx => quote!(__step.clone()),
        // A step that asks for it was refused.
        Argument::Ctx => TokenStream::new(),
    });
    emit::call(function, &arguments.collect::<Vec<_>>())
}
