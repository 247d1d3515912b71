//! Writes what `#[workflow]` turns a function into.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ItemFn;

use crate::{
    args::{Accumulate, WorkflowWords},
    emit, lints, outline,
    problems::Problems,
    rewrite,
    signature::{Argument, Kind, Shape},
};

/// The function that returns the definition, beside the errors that were found.
pub(crate) fn expand(words: TokenStream, item: &TokenStream) -> TokenStream {
    let mut function = match emit::read_function(item, "workflow") {
        Ok(function) => function,
        Err(errors) => return errors,
    };
    let mut problems = Problems::default();
    let words = WorkflowWords::read(words, &function.sig.ident, &mut problems);
    let Some(shape) = Shape::read(&function, Kind::Workflow, &mut problems) else {
        let errors = problems.to_compile_errors();
        return quote!(#errors #function);
    };
    lints::check(&function.block, &shape.ctx, &mut problems);
    let outline = outline::outline(&function.block, &function.sig.ident, &shape.ctx);
    rewrite::settle_errors(&mut function.block, &shape.ctx);

    let errors = problems.to_compile_errors();
    let definition = definition(&function, &shape, &words, &outline);
    quote!(#errors #definition)
}

fn definition(
    function: &ItemFn,
    shape: &Shape,
    words: &WorkflowWords,
    outline: &TokenStream,
) -> TokenStream {
    let (head, body, submit) = (
        emit::head(function),
        emit::body(function),
        emit::submit(function),
    );
    let (value, converted) = (emit::value(shape), emit::converted(shape));
    let WorkflowWords {
        name,
        version,
        tags,
        dead_letter,
        events,
        accumulate,
        attributes,
    } = words;
    let (dead_letter, attributes) = (dead_letter.iter(), attributes.iter());
    let accumulate = accumulate.iter().map(|it| accumulating(it, shape));
    let (input, needs, call) = (&shape.input, shape.needs(), call(function, shape));
    quote! {
        #head -> ::axum_durable::Workflow<#input, #value> {
            #body
            const __NEEDS: &[::axum_durable::__private::StateNeed] = #needs;
            static __OUTLINE: ::axum_durable::__private::Outline = #outline;
            ::axum_durable::__private::define_workflow::<#input, #value>(
                #name,
                #version,
                |__ctx, __input| ::std::boxed::Box::pin(async move { #call.await #converted }),
            )
            .with_tags(&[#(#tags),*])
            .with_needs(__NEEDS)
            .with_outline(&__OUTLINE)
            #(.with_dead_letter(#dead_letter))*
            #(.on_event(#events))*
            #(#accumulate)*
            #(.with_search_attributes::<#attributes>())*
        }
        #submit
    }
}

/// How events become fewer runs, located at the input, which has to be of the right type.
fn accumulating(accumulate: &Accumulate, shape: &Shape) -> TokenStream {
    let span = emit::located(&shape.input);
    let millis = |length: u64| quote!(::core::time::Duration::from_millis(#length));
    match accumulate {
        Accumulate::Debounce(quiet) => {
            let quiet = millis(*quiet);
            quote_spanned!(span=> .with_debounce(#quiet))
        }
        Accumulate::Batch(most, within) => {
            let (most, within) = (Literal::u32_unsuffixed(*most), millis(*within));
            quote_spanned!(span=> .with_batch(#most, #within))
        }
    }
}

/// The call of the author's function from `__ctx` and `__input`.
fn call(function: &ItemFn, shape: &Shape) -> TokenStream {
    let mut states = Vec::new();
    let mut arguments = Vec::new();
    for argument in &shape.arguments {
        match argument {
            Argument::Ctx => arguments.push(quote!(&__ctx)),
            Argument::Input => arguments.push(quote!(__input)),
            Argument::State(ty) => {
                let name = format_ident!("__state_{}", states.len());
                states.push(quote!(let #name = __ctx.state::<#ty>()?;));
                arguments.push(quote!(#name));
            }
            // Only steps have it.
            Argument::StepCtx => {}
        }
    }
    let call = emit::call(function, &arguments);
    quote!(#(#states)* #call)
}
