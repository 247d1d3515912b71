//! What both attributes write alike.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Attribute, Error, ItemFn, spanned::Spanned};

use crate::signature::Shape;

/// Reads the annotated item.
///
/// # Errors
///
/// What to write instead: the error beside the item itself, so that other code still finds it.
pub(crate) fn read_function(item: &TokenStream, attribute: &str) -> Result<ItemFn, TokenStream> {
    syn::parse2(item.clone()).map_err(|error| {
        let is_function = item.to_string().contains("fn ");
        let error = if is_function {
            error
        } else {
            Error::new_spanned(item, format!("`#[{attribute}]` belongs on an `async fn`"))
        };
        let error = error.to_compile_error();
        quote!(#error #item)
    })
}

/// The author's function, callable as `__Body::checkout`.
///
/// It keeps its name, because the compiler's messages mention it. It is an associated function,
/// because a plain one would hide the definition of the same name from its own body, which may
/// start itself as a child.
pub(crate) fn body(function: &ItemFn) -> TokenStream {
    let (signature, block) = (&function.sig, &function.block);
    quote! {
        struct __Body;
        impl __Body {
            #signature #block
        }
    }
}

/// The type of success of the function's result.
pub(crate) fn value(shape: &Shape) -> TokenStream {
    let output = &shape.output;
    let span = located(output);
    quote_spanned!(span=> <#output as ::axum_durable::__private::WorkflowOutcome>::Value)
}

/// `.map_err(Into::into)`, located at the function's own result type: if the error has no
/// conversion, that is where the author must change something.
pub(crate) fn converted(shape: &Shape) -> TokenStream {
    let span = located(&shape.output);
    quote_spanned!(span=> .map_err(|error| ::core::convert::Into::into(error)))
}

/// The call of the author's function, located at its name: there a body that cannot move between
/// threads is reported.
pub(crate) fn call(function: &ItemFn, arguments: &[TokenStream]) -> TokenStream {
    let ident = &function.sig.ident;
    let span = located(ident);
    let callee = quote_spanned!(span=> __Body::#ident);
    quote_spanned!(span=> ::axum_durable::__private::movable(#callee(#(#arguments),*)))
}

/// The place of an author's token, with the names of this macro.
pub(crate) fn located(place: &impl Spanned) -> Span {
    Span::mixed_site().located_at(place.span())
}

/// The attributes, visibility and head of the function that returns the definition, up to and
/// without its result.
pub(crate) fn head(function: &ItemFn) -> TokenStream {
    let (attributes, visibility) = (&function.attrs, &function.vis);
    let ident = &function.sig.ident;
    let has = |name| {
        attributes
            .iter()
            .any(|attribute: &Attribute| attribute.path().is_ident(name))
    };
    let must_use = (!has("must_use")).then(|| quote!(#[must_use]));
    quote!(#(#attributes)* #must_use #visibility fn #ident())
}

/// The sibling that makes the definition known to every process that links it.
pub(crate) fn submit(function: &ItemFn) -> TokenStream {
    let ident = &function.sig.ident;
    // Where the function is left out, so is this.
    let conditions = function
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"));
    let conditions = conditions.map(ToTokens::to_token_stream);
    quote! {
        #(#conditions)*
        const _: () = {
            ::axum_durable::__private::inventory::submit! {
                ::axum_durable::__private::Registered::new(
                    || ::axum_durable::__private::Registration::from(#ident())
                )
            }
        };
    }
}
